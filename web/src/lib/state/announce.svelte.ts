/** What a screen reader is told about changes that are otherwise only seen. Drawn by the live region in App. */
class Announcer {
  text = $state('');
  #last = '';

  say(text: string): void {
    // The same words twice would not be read twice; a no-break space makes them differ. What is compared is no state:
    // an effect that says something must not run again because it was said.
    this.#last = this.#last === text ? `${text}\u00a0` : text;
    this.text = this.#last;
  }
}

export const announcer = new Announcer();
