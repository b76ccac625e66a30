/** A moment, in which the browser draws what is there. */
const DRAWN_MS = 100;

let seen: () => void = () => {};
const sight = new Promise<void>((resolve) => {
  seen = resolve;
});

/** Says that the place which was asked for is there. What is wanted later comes from now on. */
export function firstSight(): void {
  setTimeout(seen, DRAWN_MS);
}

/** Runs what can wait until there is something to look at, so that it takes nothing of the line before. */
export function afterFirstSight(run: () => void): void {
  sight.then(run);
}
