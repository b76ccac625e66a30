import { forgotPassword } from '$lib/api/account';
import { changeAccount, removeAccount } from '$lib/api/admin';
import { explain } from '$lib/api/explain';
import { asApiError } from '$lib/api/problem';
import type { Account, AccountDetails, AccountPatch, Role } from '$lib/api/types';
import { t } from '$lib/i18n';
import { dialogs } from '$lib/state/dialogs.svelte';
import { toasts } from '$lib/state/toasts.svelte';
import { type Actor, doneWithUndo, whoActs } from '$lib/state/undo';
import { names } from './accounts.svelte';

/** What administrators do with an account. Of what ends after its actor has left nothing is told to whoever is here then. */

export function explainFailure(thrown: unknown, here: Actor): void {
  if (here()) toasts.error(t('admin.failed', { reason: explain(asApiError(thrown)) }));
}

type Changed = (account: AccountDetails) => void;

/** The account as it is then; null if nothing was done, or whoever did it has left. */
async function change(account: Account, patch: AccountPatch): Promise<AccountDetails | null> {
  const here = whoActs();
  try {
    const done = await changeAccount(account.id, patch);
    return here() ? done : null;
  } catch (thrown) {
    explainFailure(thrown, here);
    return null;
  }
}

/** Changes back by the undo, which tells `changed` too. A failure is left to the caller. */
async function undoably(account: Account, patch: AccountPatch, back: AccountPatch, said: string, changed: Changed) {
  const here = whoActs();
  const done = await changeAccount(account.id, patch);
  if (!here()) return;
  changed(done);
  doneWithUndo(said, async () => changed(await changeAccount(account.id, back)), here);
}

function finish(done: AccountDetails, said: string, changed: Changed) {
  changed(done);
  toasts.show(said);
}

/** Changes without an undo. */
async function lastingly(account: Account, patch: AccountPatch, said: string, changed: Changed) {
  const done = await change(account, patch);
  if (done) finish(done, said, changed);
}

/** What makes an administrator of an account wants a proof, and so would its undo: there is none then. */
const isAdministrator = (account: Account) => account.role === 'admin';

export async function setDisabled(account: Account, disabled: boolean, changed: Changed): Promise<void> {
  const { email } = account;
  const said = disabled ? t('admin.disabled.done', { email }) : t('admin.enabled.done', { email });
  if (disabled) {
    const yes = await dialogs.confirm({
      title: t('admin.disable.title', { email }),
      text: t('admin.disable.text'),
      act: t('admin.disable'),
    });
    if (!yes) return;
  } else if (isAdministrator(account)) {
    const question = { title: t('admin.enable.title', { email }), text: t('admin.proof'), act: t('admin.enable') };
    const done = await dialogs.prove({ ...question, tone: 'plain' }, (proof) =>
      changeAccount(account.id, { disabled, proof }),
    );
    if (done) finish(done, said, changed);
    return;
  }
  if (isAdministrator(account)) {
    await lastingly(account, { disabled }, said, changed);
    return;
  }
  const here = whoActs();
  const done = undoably(account, { disabled }, { disabled: !disabled }, said, changed);
  await done.catch((thrown) => explainFailure(thrown, here));
}

export async function setRole(account: Account, role: Role, changed: Changed): Promise<void> {
  const { email } = account;
  if (role === 'admin') {
    const question = { title: t('admin.promote.title', { email }), act: t('admin.promote') };
    const text = `${t('admin.promote.text')} ${t('admin.proof')}`;
    const done = await dialogs.prove({ ...question, text, tone: 'plain' }, (proof) =>
      changeAccount(account.id, { role, proof }),
    );
    if (done) finish(done, t('admin.promoted', { email }), changed);
    return;
  }
  const yes = await dialogs.confirm({
    title: t('admin.demote.title', { email }),
    text: t('admin.demote.text'),
    act: t('admin.demote'),
    tone: 'plain',
  });
  if (yes) await lastingly(account, { role }, t('admin.demoted', { email }), changed);
}

/** What it throws stands in the form. */
export async function setQuota(account: AccountDetails, quotaBytes: number | null, changed: Changed): Promise<void> {
  const before = account.usage?.quotaBytes ?? null;
  const back: AccountPatch = { quotaBytes: before };
  await undoably(account, { quotaBytes }, back, t('admin.quota.done', { email: account.email }), changed);
}

export async function signOutEverywhere(account: Account): Promise<void> {
  const { email } = account;
  const yes = await dialogs.confirm({
    title: t('admin.signOut.title', { email }),
    text: t('admin.signOut.text'),
    act: t('admin.signOut'),
  });
  if (yes && (await change(account, { signOut: true }))) toasts.show(t('admin.signedOut', { email }));
}

/** Whoever runs the installation learns no password: its owner sets it, by a code that goes by mail. */
export async function mailNewPassword(account: Account): Promise<void> {
  const { email } = account;
  const yes = await dialogs.confirm({
    title: t('admin.password.title', { email }),
    text: t('admin.password.text'),
    act: t('admin.password'),
    tone: 'plain',
  });
  if (!yes) return;
  const here = whoActs();
  try {
    await forgotPassword(email);
    if (here()) toasts.show(t('admin.password.done', { email }));
  } catch (thrown) {
    explainFailure(thrown, here);
  }
}

export async function resetSecondFactor(account: Account): Promise<void> {
  const { email } = account;
  const question = { title: t('admin.factor.title', { email }), act: t('admin.factor') };
  const text = `${t('admin.factor.text')} ${t('admin.proof')}`;
  const done = await dialogs.prove({ ...question, text }, (proof) =>
    changeAccount(account.id, { resetSecondFactor: true, proof }),
  );
  if (done) toasts.show(t('admin.factor.done', { email }));
}

/** Asks, and deletes. Whether it is gone. */
export async function remove(account: Account): Promise<boolean> {
  const { email } = account;
  const yes = await dialogs.confirm({
    title: t('admin.delete.title', { email }),
    text: t('admin.delete.text'),
    act: t('admin.delete'),
  });
  if (!yes) return false;
  const here = whoActs();
  try {
    await removeAccount(account.id);
  } catch (thrown) {
    if (asApiError(thrown).status !== 404) {
      explainFailure(thrown, here);
      return false;
    }
  }
  if (!here()) return false;
  names.gone(account.id);
  toasts.show(t('admin.deleted', { email }));
  return true;
}
