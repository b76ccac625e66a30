import { load, save } from './local';

export type Theme = 'system' | 'light' | 'dark';

class ThemeState {
  choice = $state<Theme>(load<Theme>('theme', 'system'));

  apply(): void {
    const root = document.documentElement;
    if (this.choice === 'system') root.removeAttribute('data-theme');
    else root.setAttribute('data-theme', this.choice);
  }

  set(choice: Theme): void {
    this.choice = choice;
    save('theme', choice);
    this.apply();
  }
}

export const theme = new ThemeState();
