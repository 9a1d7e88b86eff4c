/** The prompt tab: every message as the model saw it; what it had seen before is grey and folded. */

import { thousands } from '../../format';
import { issuerOf } from '../../model/detail';
import type { Item } from '../../model/rows';
import { lengthOf, sentAt } from '../../model/sent';
import { firstLine, visible } from '../../text';
import type { Message, Role } from '../../trace/wire';
import { h } from '../dom';
import { fold, remark, selector, still } from './parts';
import type { Pane, Section } from './section';
import { textBody } from './text';

const LONG_SITE = 2_000;

export function promptSections(item: Item, pane: Pane): Section[] {
  const asked = siteSections(item, pane);
  if (item.kind === 'turn') {
    return [...asked, ...turnMessages(item, pane)];
  }
  const { call } = item;
  if (call.kind === 'llm') {
    return [...asked, ...messages(call.messages(), pane, item.key)];
  }
  const { words } = pane.state;
  const question = still('question', String(call.started.cut), () =>
    textBody(pane, `${item.key}|question`, call.prompt, {
      name: words.__('Question'),
      class: 'rlm-detail-question'
    })
  );
  const opening = call.turns[0]?.messages ?? [];
  const title = still('opening', String(opening.length > 0), () =>
    h(
      'h3',
      { class: 'rlm-detail-heading' },
      opening.length ? words.__('As its model was first asked') : words.__('Its model has not been asked yet')
    )
  );
  return [...asked, question, title, ...messages(opening, pane, item.key)];
}

function turnMessages(item: Extract<Item, { kind: 'turn' }>, pane: Pane): Section[] {
  const { words } = pane.state;
  const { messages: all, unchanged, since } = sentAt(item.call, item.turn);
  const old = all.slice(0, unchanged);
  const fresh = messages(all, pane, item.key).slice(unchanged);
  if (!old.length || since === null) {
    return fresh;
  }
  const chars = old.reduce((sum, message) => sum + lengthOf(message.content), 0);
  const told = words._n(
    '%1 message unchanged since turn %2 (%3 characters)',
    '%1 messages unchanged since turn %2 (%3 characters)',
    old.length,
    since,
    thousands(chars)
  );
  const prefix = still('unchanged', `${String(old.length)} ${String(chars)}`, () =>
    fold(
      pane,
      `${item.key}|unchanged`,
      [told],
      () => h('div', {}, ...messages(old, pane, item.key).map(each => each.draw())),
      { class: 'rlm-detail-old' }
    )
  );
  return [prefix, ...fresh];
}

function messages(all: readonly Message[], pane: Pane, key: string): Section[] {
  return all.map(({ role, content }, at) =>
    still(`message ${String(at)}`, `${role} ${String(content.length)}`, () => {
      const made = textBody(pane, `${key}|message ${String(at)}`, content, {
        name: roleName(role, pane),
        class: 'rlm-detail-message'
      });
      made.dataset['role'] = role;
      return made;
    })
  );
}

function roleName(role: Role, { state: { words } }: Pane): string {
  switch (role) {
    case 'system':
      return words.__('system');
    case 'user':
      return words.__('user');
    case 'assistant':
      return words.__('assistant');
  }
}

function siteSections(item: Item, pane: Pane): Section[] {
  const issuer = item.kind === 'call' ? issuerOf(item) : null;
  if (!issuer || item.kind !== 'call') {
    return [];
  }
  return [still('site', String(item.call.started.cut), () => site(item.call.site, issuer, pane))];
}

function site(
  place: { readonly block: number; readonly line: number; readonly code: string } | null,
  issuer: Item,
  pane: Pane
): HTMLElement {
  const { words } = pane.state;
  const where =
    place && place.line > 0
      ? words.__('asked by block %1, line %2', place.block, place.line)
      : issuer.kind === 'turn'
        ? words.__('asked in turn %1', issuer.turn.number)
        : words.__('asked by the code above it');
  const made = selector(pane, issuer.key, where, words.__('Go to the code that asked'));
  if (place?.code) {
    made.append(h('code', {}, visible(firstLine(place.code, LONG_SITE))));
  }
  return remark(made);
}
