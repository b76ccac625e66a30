import type { Component } from 'svelte';

/** What can be done with what is selected. */
export interface Act {
  label: string;
  icon: Component<{ size?: number | string }>;
  run: () => void;
  danger?: boolean;
}
