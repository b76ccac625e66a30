/** What a screen reader is told about changes that are otherwise only seen. Drawn by the live region in App. */
class Announcer {
  text = $state('');

  say(text: string): void {
    // The same words twice would not be read twice; a no-break space makes them differ.
    this.text = this.text === text ? `${text}\u00a0` : text;
  }
}

export const announcer = new Announcer();
