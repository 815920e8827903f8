// The control API of the sandbox.

import { say } from "./notice.js";

export class Refused extends Error {}

let token = null; // of this run of the sandbox; the next one has another

async function ask(path, options) {
  let response;
  try {
    response = await fetch(`_sandbox/${path}`, options);
  } catch {
    throw new Refused("The sandbox does not answer. Is bridge demo still running?");
  }
  const answer = await response.json().catch(() => ({}));
  if (response.ok && answer.ok !== false) return answer;
  if (response.status === 403) token = null;
  throw new Refused(answer.error ?? `The sandbox answered ${response.status}.`);
}

export const get = (path) => ask(path, {});

async function send(path, body) {
  token ??= (await get("token")).token;
  return ask(path, {
    method: "POST",
    headers: { "Content-Type": "application/json", "X-Sandbox-Token": token },
    body: JSON.stringify(body),
  });
}

export async function post(path, body = {}) {
  try {
    return await send(path, body);
  } catch (error) {
    if (token !== null) throw error;
    return send(path, body); // the sandbox was started anew: with its new token
  }
}

// Run what may be refused; show the reason, and return null, if it was.
export async function attempt(action) {
  try {
    return await action();
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    say(error.message);
    return null;
  }
}
