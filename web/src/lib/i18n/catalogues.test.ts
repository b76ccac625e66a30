import { describe, expect, it } from 'vitest';
import de from './de';
import deAccount from './de-account';
import deAdmin from './de-admin';
import deAuth from './de-auth';
import deJobs from './de-jobs';
import deNotices from './de-notices';
import deOrganise from './de-organise';
import dePublic from './de-public';
import deQueue from './de-queue';
import deSearch from './de-search';
import deSharing from './de-sharing';
import deTray from './de-tray';
import deViewer from './de-viewer';
import deWebhooks from './de-webhooks';
import en from './en';
import enAccount from './en-account';
import enAdmin from './en-admin';
import enAuth from './en-auth';
import enJobs from './en-jobs';
import enNotices from './en-notices';
import enOrganise from './en-organise';
import enPublic from './en-public';
import enQueue from './en-queue';
import enSearch from './en-search';
import enSharing from './en-sharing';
import enTray from './en-tray';
import enViewer from './en-viewer';
import enWebhooks from './en-webhooks';
import type { Message } from './index';

const parts: [string, Record<string, Message>, Record<string, Message>][] = [
  ['the first sight', en, de],
  ['the way in', enAuth, deAuth],
  ['the account', enAccount, deAccount],
  ['administration', enAdmin, deAdmin],
  ['the jobs', enJobs, deJobs],
  ['the news', enNotices, deNotices],
  ['the search', enSearch, deSearch],
  ['organising', enOrganise, deOrganise],
  ['the dashboard', enQueue, deQueue],
  ['the viewer', enViewer, deViewer],
  ['sharing', enSharing, deSharing],
  ['uploads', enTray, deTray],
  ['the page of a link', enPublic, dePublic],
  ['the webhooks', enWebhooks, deWebhooks],
];

const forms = (message: Message): string[] => (typeof message === 'string' ? [message] : Object.values(message));
const places = (text: string): string[] => [...text.matchAll(/\{(\w+)\}/g)].map((match) => match[1] ?? '').sort();

describe.each(parts)('the German texts of %s', (_, english, german) => {
  it('are those that there are in English', () => {
    expect(Object.keys(german).sort()).toEqual(Object.keys(english).sort());
  });
  it('have the same places in each of their forms', () => {
    for (const [key, message] of Object.entries(english)) {
      const wanted = new Set(forms(message).flatMap(places));
      const found = german[key] ?? '';
      for (const form of forms(found)) {
        // The singular may do without its number, and the plural without a name.
        const given = places(form);
        expect([...wanted], `${key}: ${form}`).toEqual(expect.arrayContaining(given));
      }
      expect(new Set(forms(found).flatMap(places)), key).toEqual(wanted);
    }
  });
  it('have plural forms where the English ones have', () => {
    for (const [key, message] of Object.entries(english)) expect(typeof german[key], key).toBe(typeof message);
  });
  it('say something', () => {
    for (const [key, message] of Object.entries(german))
      for (const form of forms(message)) expect(form.trim(), key).not.toBe('');
  });
});
