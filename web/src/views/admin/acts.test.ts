import { beforeEach, describe, expect, it, vi } from 'vitest';
import { ApiError } from '$lib/api/problem';
import type { Account } from '$lib/api/types';

const product = vi.hoisted(() => ({
  answer: (_: unknown) => {},
  refuse: (_: Error) => {},
}));

vi.mock('$lib/i18n', () => ({ t: (key: string) => key }));
vi.mock('$lib/api/account', () => ({ forgotPassword: () => {} }));
vi.mock('$lib/api/admin', () => ({
  changeAccount: () =>
    new Promise((resolve, reject) => {
      product.answer = resolve;
      product.refuse = reject;
    }),
  removeAccount: () => {},
}));
vi.mock('./accounts.svelte', () => ({ names: { gone: () => {} } }));

const { resetSecondFactor, setDisabled } = await import('./acts');
const { dialogs } = await import('$lib/state/dialogs.svelte');
const { toasts } = await import('$lib/state/toasts.svelte');
const { forgetSteps } = await import('$lib/state/undo');

const account = { id: 'eve', email: 'eve@example.org', role: 'user', disabled: true } as Account;
const texts = () => toasts.list.map(({ text }) => text);

beforeEach(() => {
  toasts.clear();
});

describe('an act on an account that ends after the administrator has left', () => {
  it('is told to nobody, whatever came of it', async () => {
    const changed = vi.fn();
    for (const end of [
      () => product.answer(account),
      () => product.refuse(new ApiError('product', 401, 'unauthorized', '')),
    ]) {
      const acted = setDisabled(account, false, changed);
      forgetSteps();
      end();
      await acted;
    }
    expect(texts()).toEqual([]);
    expect(changed).not.toHaveBeenCalled();
  });

  it('is told to nobody where it wanted a proof', async () => {
    const acted = resetSecondFactor(account);
    const { request } = dialogs;
    if (request?.kind !== 'proof') throw new Error('no proof is asked for');
    const run = request.run({ password: 'x' });
    forgetSteps();
    product.answer(account);
    await Promise.all([acted, run]);
    expect(texts()).toEqual([]);
  });
});
