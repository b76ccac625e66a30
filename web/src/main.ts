import './styles/base.css';
import { mount } from 'svelte';
import { language } from '$lib/i18n/language.svelte';
import { theme } from '$lib/state/theme.svelte';
import App from './App.svelte';

theme.apply();

const target = document.getElementById('app');
if (target) language.start().then(() => mount(App, { target }));
