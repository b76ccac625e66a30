import { describe, expect, it } from 'vitest';
import { Draft, type Entered } from './draft';

type Field = { -readonly [K in keyof Entered]: Entered[K] };

const field = (more: Partial<Field> = {}): Field => ({
  type: 'text',
  name: '',
  value: '',
  form: {},
  dataset: {},
  isConnected: true,
  matches: () => false,
  ...more,
});

/** Somebody comes to a field and types. */
function type(draft: Draft, into: Field, value: string) {
  draft.reach(into);
  into.value = value;
  draft.change(into);
}

describe('a draft', () => {
  it('holds what was typed until it is as before, or out of sight', () => {
    const draft = new Draft();
    const name = field({ value: 'before' });
    draft.reach(name);
    expect(draft.holds).toBe(false);
    type(draft, name, 'after');
    draft.reach(name);
    expect(draft.holds).toBe(true);
    type(draft, name, 'before');
    expect(draft.holds).toBe(false);
    type(draft, name, '');
    expect(draft.holds, 'to empty a field is a change as well').toBe(true);
    name.isConnected = false;
    expect(draft.holds).toBe(false);
  });

  it('holds nothing that the browser fills into the field with the focus, until somebody types there', () => {
    const draft = new Draft();
    let filled = true;
    const email = field({ matches: (selectors) => selectors === ':autofill' && filled });
    type(draft, email, 'ada@example.org');
    expect(draft.holds).toBe(false);
    // Typing ends what the browser calls filled in.
    filled = false;
    type(draft, email, 'grace@example.org');
    expect(draft.holds).toBe(true);
  });

  it('holds ticks, with and without a focus, and choices', () => {
    const draft = new Draft();
    const tick = field({ type: 'checkbox', value: 'on', checked: true });
    draft.change(tick);
    expect(draft.holds).toBe(true);
    tick.checked = false;
    draft.change(tick);
    expect(draft.holds).toBe(false);
    type(draft, field({ type: 'select-one', value: 'user' }), 'admin');
    expect(draft.holds).toBe(true);
  });

  it('holds nothing that the browser fills in, that proves who one is, that is sought, or that is done at once', () => {
    const draft = new Draft();
    draft.change(field({ value: 'filled in' }));
    type(draft, field({ type: 'password', name: 'password' }), 'secret');
    type(draft, field({ name: 'password' }), 'secret, and shown');
    type(draft, field({ name: 'code' }), '123456');
    type(draft, field({ type: 'search' }), 'somebody');
    type(draft, field({ form: null }), 'on its way');
    type(draft, field({ type: 'select-one', dataset: { draft: 'no' } }), 'editor');
    expect(draft.holds).toBe(false);
  });
});
