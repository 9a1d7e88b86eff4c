/**
 * Builds the viewer of a page of its own, one script and one style sheet that need nothing else: into
 * `rlm_kernel/viewer`, where Python finds it, and into `src/generated/viewer.ts`, where the extension does.
 */

import { build } from 'esbuild';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const HERE = import.meta.dirname;
const VIEWER = join(HERE, '..', 'rlm_kernel', 'viewer');
const GENERATED = join(HERE, 'src', 'generated');

const { metafile, outputFiles } = await build({
  absWorkingDir: HERE,
  bundle: true,
  entryPoints: { viewer: 'src/standalone.ts', page: 'style/page.css' },
  format: 'iife',
  legalComments: 'none',
  logLevel: 'warning',
  metafile: true,
  minify: true,
  outdir: VIEWER,
  target: ['chrome111', 'firefox113', 'safari16.4'],
  write: false
});

const script = `/* ${notice()} */\n${output('.js')}`;
const style = output('.css');
// In the page nothing may end the element that holds it, and nothing may be asked of a server.
refuse(script, /<\/script|<!--/i);
refuse(style, /<\/style|url\(|@import/i);

mkdirSync(VIEWER, { recursive: true });
writeFileSync(join(VIEWER, 'viewer.js'), script);
writeFileSync(join(VIEWER, 'viewer.css'), style);
writeChanged(
  'viewer.ts',
  [
    '/* eslint-disable -- made by build-viewer.mjs */',
    `export const SCRIPT = ${JSON.stringify(script)};`,
    `export const STYLE = ${JSON.stringify(style)};`,
    ''
  ].join('\n')
);

function output(suffix) {
  return outputFiles.find(file => file.path.endsWith(suffix)).text.trim();
}

/** Whose code is in it, as their licences ask for. */
function notice() {
  const packages = Object.keys(metafile.inputs).flatMap(path => {
    const found = /^(?:.*\/)?node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(path);
    return found ? [found[1]] : [];
  });
  const theirs = [...new Set(packages)].sort().map(name => {
    const told = JSON.parse(readFileSync(join(HERE, 'node_modules', name, 'package.json'), 'utf-8'));
    const author = typeof told.author === 'object' ? told.author.name : told.author;
    return `${name} (${told.license}, ${String(author ?? 'its authors').replace(/ <.*/, '')})`;
  });
  return ['rlm_kernel (BSD-3-Clause)', ...theirs].join('; ');
}

function refuse(text, pattern) {
  const found = pattern.exec(text);
  if (found) {
    throw new Error(`the viewer cannot stand in a page: it holds ${JSON.stringify(found[0])}`);
  }
}

// Left alone when it is the same, so that nothing that is made from it is made again.
function writeChanged(name, content) {
  mkdirSync(GENERATED, { recursive: true });
  const path = join(GENERATED, name);
  let before = '';
  try {
    before = readFileSync(path, 'utf-8');
  } catch (error) {
    if (error.code !== 'ENOENT') {
      throw error;
    }
  }
  if (before !== content) {
    writeFileSync(path, content);
  }
}
