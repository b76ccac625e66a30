import type { Component } from 'svelte';

export interface MenuItem {
  label: string;
  icon?: Component<{ size?: number | string }>;
  /** The key that does the same, for show. */
  keys?: string;
  tone?: 'plain' | 'danger';
  /** For a choice among several: whether this one holds. */
  checked?: boolean;
  disabled?: boolean;
  run: () => void;
}

export type MenuEntry = MenuItem | 'line' | { heading: string };

export interface MenuRequest {
  label: string;
  entries: MenuEntry[];
  /** The control that opened it, or the point of a right click. */
  at: Element | { x: number; y: number };
  /** Where the focus goes back to. */
  from: HTMLElement | null;
}

/** One menu at a time, drawn by MenuHost. */
class MenuState {
  request = $state.raw<MenuRequest | null>(null);

  open(at: MenuRequest['at'], label: string, entries: MenuEntry[]): void {
    const from = document.activeElement;
    this.request = { at, label, entries, from: from instanceof HTMLElement ? from : null };
  }

  close(): void {
    this.request = null;
  }
}

export const menu = new MenuState();
