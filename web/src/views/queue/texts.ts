import { addTexts } from '$lib/i18n';
import enQueue from '$lib/i18n/en-queue';

// Imported before anything that shows them.
addTexts(enQueue);
