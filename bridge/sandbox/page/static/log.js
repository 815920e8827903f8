// The event log of the sandbox, which is the only state: all that the page shows is
// drawn from its entries. A reload, or a second tab, reads the same log again.

const GATHER = 30; // milliseconds; entries come in bursts
const AGAIN = 1000; // milliseconds until the next attempt to connect

// Follow the log: take(entries) gets what came since, forget() is called when another
// sandbox answers at this address, link(isUp) when the connection comes and goes.
export function follow({ take, forget, link }) {
  const source = new EventSource("_sandbox/events");
  let gathered = [];
  let timer = 0;
  let run = null; // the part of an entry's id that is the same for one sandbox
  source.onopen = () => link(true);
  source.onmessage = (event) => {
    const [told] = event.lastEventId.split("-");
    if (run !== null && told !== run) {
      gathered = [];
      forget();
    }
    run = told;
    gathered.push(JSON.parse(event.data));
    timer ||= setTimeout(() => {
      timer = 0;
      take(gathered.splice(0));
    }, GATHER);
  };
  source.onerror = () => {
    link(false);
    if (source.readyState !== EventSource.CLOSED) return; // the browser tries again
    setTimeout(() => {
      forget();
      follow({ take, forget, link });
    }, AGAIN);
  };
}
