// @vitest-environment jsdom
import './dragging';

import { Widget } from '@lumino/widgets';
import type { IRenderMime } from '@jupyterlab/rendermime-interfaces';
import { beforeEach, describe, expect, test, vi } from 'vitest';

import { ENGLISH } from '../src/core/words';
import type { Lab } from '../src/lab';
import { Registry } from '../src/registry';
import { MIME, TraceRenderer, rendererFactory } from '../src/renderer';
import { Settings, readValues } from '../src/settings';
import './core/page';
import { threeTurns } from './core/story';
import { Kernel, card } from './kernel';

const { events } = threeTurns();
const BUNDLE = { format: 1, run: 'papers-1', events };

/** Draws the text of what it is given, and says whether it was trusted. */
class Plain extends Widget {
  renderModel(model: IRenderMime.IMimeModel): Promise<void> {
    this.node.textContent = `${JSON.stringify(model.data)} trusted: ${String(model.trusted)}`;
    return Promise.resolve();
  }
}

function model(data: Record<string, unknown>, trusted = true): IRenderMime.IMimeModel {
  return { data, trusted, metadata: {}, setData: () => undefined } as unknown as IRenderMime.IMimeModel;
}

let lab: Lab;

beforeEach(() => {
  lab = {
    registry: new Registry('1.0'),
    notebooks: null,
    settings: new Settings(),
    words: ENGLISH,
    rendermime: {
      createModel: (options: { data: Record<string, unknown>; trusted: boolean }) =>
        model(options.data, options.trusted),
      createRenderer: () => new Plain()
    } as unknown as Lab['rendermime'],
    panels: new Set(),
    openTab: vi.fn(),
    openCompare: null
  };
});

describe('an output with a trace', () => {
  test('is drawn also where it is not trusted, before any other of its formats', () => {
    expect(rendererFactory(lab)).toMatchObject({ safe: true, mimeTypes: [MIME], defaultRank: -100 });
  });

  test('is the tree, and stays the same one when it is given again', async () => {
    const renderer = new TraceRenderer(lab);
    await renderer.renderModel(model({ [MIME]: BUNDLE }));
    const view = renderer.node.querySelector('.rlm-run');
    expect(view?.textContent).toContain('Which papers disagree?');
    await renderer.renderModel(model({ [MIME]: { ...BUNDLE, path: '.rlm/x' } }));
    expect(renderer.node.querySelector('.rlm-run')).toBe(view);
    expect(lab.panels.size).toBe(1);
    renderer.dispose();
    expect(lab.panels.size).toBe(0);
  });

  test('lets go of the kernel when it is taken away', async () => {
    const kernel = new Kernel();
    lab.registry.add(kernel.control);
    kernel.hello(card('papers-1'));
    const renderer = new TraceRenderer(lab);
    await renderer.renderModel(model({ [MIME]: { ...BUNDLE, live: true, events: events.slice(0, 1) } }));
    expect(kernel.ops).toEqual(['watch']);
    renderer.dispose();
    expect(kernel.ops).toEqual(['watch', 'unwatch']);
  });

  test('of another run is another view', async () => {
    const renderer = new TraceRenderer(lab);
    await renderer.renderModel(model({ [MIME]: BUNDLE }));
    const view = renderer.node.querySelector('.rlm-run');
    await renderer.renderModel(model({ [MIME]: { ...BUNDLE, run: 'other' } }));
    expect(renderer.node.querySelectorAll('.rlm-run')).toHaveLength(1);
    expect(renderer.node.querySelector('.rlm-run')).not.toBe(view);
    renderer.dispose();
  });
});

describe('an output that cannot be drawn', () => {
  test.each([
    [{ format: 2, events: [] }, 'written by a newer rlm_kernel: update it'],
    [{ ...BUNDLE, events: 3 }, 'cannot be read: events is a number, not a list'],
    ['text', 'cannot be read: the bundle is a string, not an object'],
    [undefined, 'cannot be read: the bundle is missing']
  ])('says why, above its static view that is never trusted: %j', async (bundle, said) => {
    const renderer = new TraceRenderer(lab);
    await renderer.renderModel(model({ [MIME]: bundle, 'text/html': '<b>twin</b>', 'text/plain': 'twin' }));
    expect(renderer.node.querySelector('[role=alert]')?.textContent).toContain(said);
    expect(renderer.node.textContent).toContain('{"text/html":"<b>twin</b>"} trusted: false');
    renderer.dispose();
  });

  test('is a tree again when what it is given can be', async () => {
    const renderer = new TraceRenderer(lab);
    await renderer.renderModel(model({ [MIME]: {} }));
    expect(renderer.node.querySelector('.rlm-unreadable')).not.toBeNull();
    await renderer.renderModel(model({ [MIME]: BUNDLE }));
    expect(renderer.node.querySelector('.rlm-unreadable')).toBeNull();
    expect(renderer.node.querySelector('.rlm-run')).not.toBeNull();
    renderer.dispose();
  });
});

test.each([
  [null, { follow: true, height: 480, lens: 'tree', prose: true }],
  [
    { follow: 'no', height: -3, lens: 'map', prose: 0 },
    { follow: true, height: 480, lens: 'tree', prose: true }
  ],
  [
    { follow: false, height: 300, lens: 'table', prose: false },
    { follow: false, height: 300, lens: 'table', prose: false }
  ]
])('settings %j are read as far as they make sense', (given, values) => {
  expect(readValues(given)).toEqual(values);
});
