// Starts the page.
import { mount } from 'svelte';
import './ui/styles/tokens.css';
import './ui/styles/base.css';
import './ui/styles/controls.css';
import App from './app/App.svelte';
import { live } from './api/live.svelte';
import { theme } from './ui/theme.svelte';

theme.start();
live.start();
mount(App, { target: document.getElementById('app')! });
