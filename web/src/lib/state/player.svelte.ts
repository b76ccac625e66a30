import { untrack } from 'svelte';
import type { Attachment } from 'svelte/attachments';
import type { File } from '$lib/api/types';
import { router, viewOf } from './router.svelte';

/** A sound or film that goes on while one looks at other things. */
export interface Playing {
  file: File;
  kind: 'audio' | 'video';
  /** Where it is, in seconds, and how it plays. */
  at: number;
  volume: number;
  muted: boolean;
  rate: number;
}

class Player {
  now = $state.raw<Playing | null>(null);
  /** Somebody is there who lets it go on. */
  hosted = false;
  #element: HTMLMediaElement | null = null;

  end(): void {
    this.now = null;
    this.#element = null;
  }

  /**
   * The viewer's own element: it goes on from where it was, and after the viewer is closed somewhere else. The file is asked for when it is needed: one that gets a
   * star or another name plays on.
   */
  inViewer(id: string, file: () => File, kind: Playing['kind']): Attachment<HTMLMediaElement> {
    return (element) => {
      untrack(() => this.#giveBack(element, id));
      // Two at once are none.
      const started = () => this.end();
      element.addEventListener('play', started);
      return () => {
        element.removeEventListener('play', started);
        const plays = !element.paused && !element.ended;
        const { currentTime: at, volume, muted, playbackRate: rate } = element;
        element.pause();
        if (!plays) return;
        const of = untrack(file);
        // Told a moment later: now the route is still the one before. Who turns to the next page is done with this one.
        queueMicrotask(() => {
          if (this.hosted && viewOf(router.route) === null) this.now = { file: of, kind, at, volume, muted, rate };
        });
      };
    };
  }

  #giveBack(element: HTMLMediaElement, id: string): void {
    const { now } = this;
    if (now?.file.id !== id) return;
    const at = this.#element?.currentTime ?? now.at;
    this.end();
    start(element, { ...now, at });
  }

  /** The element with which it goes on. */
  goOn(playing: Playing): Attachment<HTMLMediaElement> {
    return (element) => {
      this.#element = element;
      start(element, playing);
      return () => element.pause();
    };
  }
}

function start(element: HTMLMediaElement, { at, volume, muted, rate }: Playing): void {
  element.currentTime = at;
  element.volume = volume;
  element.muted = muted;
  element.playbackRate = rate;
  // A browser that wants a click first shows its button.
  element.play().catch(() => {});
}

export const player = new Player();
