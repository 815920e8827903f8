// From Slack's mrkdwn and WhatsApp's formatting to DOM nodes.

import { h } from "./dom.js";

const TAGS = { "*": "strong", _: "em", "~": "s" };
// A mark counts where it hugs a word and no letter stands outside: 2*3*4 has none.
const MARKED = /(?<![\p{L}\p{N}])([*_~])(?![\s*_~])([^\n]*?[^\s])\1(?![\p{L}\p{N}])/u;
const CODE = /```\n?([\s\S]+?)\n?```|`([^`\n]+)`/;
const TOKEN = /<([^<>\n]+)>/;
const URL_IN_TEXT = /https?:\/\/[^\s<>"]*[^\s<>".,;:!?)'\]]/;
const ENTITIES = { "&amp;": "&", "&lt;": "<", "&gt;": ">" };

export const unescape = (text) =>
  text.replace(/&(amp|lt|gt);/g, (entity) => ENTITIES[entity]);

// A link if it leads to the web; otherwise its text, which nobody can click.
export function link(url, label = url) {
  if (!/^https?:\/\//i.test(url)) return document.createTextNode(label);
  return h("a", { href: url, target: "_blank", rel: "noreferrer noopener" }, label);
}

// Slack's mrkdwn. names: { users: Map(id → name), channels: Map(id → name) }
export function mrkdwn(text, names) {
  return code(text, unescape, (part) => quotes(part, (line) => tokens(line, names)));
}

// What WhatsApp makes of a text.
export function whatsapp(text) {
  const same = (part) => part;
  return code(text, same, (part) =>
    quotes(part, (line) =>
      split(
        line,
        URL_IN_TEXT,
        ([url]) => link(url),
        (rest) => marks(rest, same),
      ),
    ),
  );
}

// Cut a text at each match of a pattern; found(match) and rest(string) make the nodes.
function split(text, pattern, found, rest) {
  const nodes = [];
  let left = text;
  for (let match = pattern.exec(left); match; match = pattern.exec(left)) {
    nodes.push(...rest(left.slice(0, match.index)), found(match));
    left = left.slice(match.index + match[0].length);
  }
  return [...nodes, ...rest(left)];
}

function code(text, plain, rest) {
  return split(
    text,
    CODE,
    ([, block, inline]) =>
      block === undefined
        ? h("code", {}, plain(inline))
        : h("pre", { tabindex: 0 }, plain(block)),
    rest,
  );
}

function quotes(text, rest) {
  const nodes = [];
  let quoted = [];
  const end = () => {
    if (quoted.length) nodes.push(h("blockquote", {}, rest(quoted.join("\n"))));
    quoted = [];
  };
  const lines = text.split("\n");
  lines.forEach((line, index) => {
    const match = /^(?:>|&gt;) ?(.*)$/.exec(line);
    if (match) return quoted.push(match[1]);
    end();
    nodes.push(...rest(index < lines.length - 1 ? `${line}\n` : line));
  });
  end();
  return nodes;
}

function tokens(text, names) {
  const found = ([, inside]) => {
    const [target, label] = inside.split("|", 2).map(unescape);
    if (target.startsWith("@"))
      return h(
        "b",
        { class: "mention" },
        `@${names.users.get(target.slice(1)) ?? label ?? target.slice(1)}`,
      );
    if (target.startsWith("#"))
      return h(
        "b",
        { class: "mention" },
        `#${names.channels.get(target.slice(1)) ?? label ?? target.slice(1)}`,
      );
    if (target.startsWith("!"))
      return h("b", { class: "mention" }, `@${label ?? target.slice(1)}`);
    return link(target, label ?? target);
  };
  return split(text, TOKEN, found, (rest) => marks(rest, unescape));
}

function marks(text, plain) {
  const found = ([, mark, inside]) => h(TAGS[mark], {}, marks(inside, plain));
  return split(text, MARKED, found, (rest) => (rest ? [plain(rest)] : []));
}
