/** The run as one HTML file that draws itself, as `rlm_kernel/views/page.py` makes it; a test holds both to one page. */

import { isUnprotected, isolationLabel } from '../model/isolation';
import type { RunStore } from '../model/store';
import { firstLine, visible } from '../text';
import { FORMAT } from '../trace/decode';
import { base64Digest } from '../trace/sha256';
import { ENGLISH } from '../words';
import { missing } from './missing';
import { label } from './sources';
import { errorText, escapeHtml } from './summary';

/** What draws a trace in a page: one script and one style sheet, as `build-viewer.mjs` makes them. */
export interface Viewer {
  readonly script: string;
  readonly style: string;
}

/** The page of the run. Its policy lets that one script run and lets nothing be loaded. */
export function toPage(store: RunStore, viewer: Viewer): string {
  const query = store.tree.run?.query ?? 'A run';
  return `<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${policy(viewer.script)}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${escapeHtml(firstLine(query, 80))}</title>
<style>${viewer.style}</style>
</head>
<body>
<noscript>${told(store)}</noscript>
<main id="rlm-page"></main>
<script type="application/json" id="rlm-trace">${json(store)}</script>
<script>${viewer.script}</script>
</body>
</html>
`;
}

function policy(script: string): string {
  return (
    `default-src 'none'; script-src 'sha256-${base64Digest(script)}'; style-src 'unsafe-inline'; img-src data:; ` +
    "base-uri 'none'; form-action 'none'"
  );
}

// What would end the element around it and what older scripts take for a line's end stand inside strings, where JSON
// has another spelling for them. Half characters have got theirs from `stringify`.
function json(store: RunStore): string {
  const { texts, calls } = missing(store);
  const data = {
    format: FORMAT,
    run: store.id,
    live: store.live,
    events: store.events.map(event => event.source),
    path: store.path,
    warning: store.warning,
    cut_texts: texts,
    omitted_calls: calls
  };
  return JSON.stringify(data).replace(
    /[<\u2028\u2029]/g,
    found => `\\u${found.charCodeAt(0).toString(16).padStart(4, '0')}`
  );
}

// The static tree is made by Python only; where scripts are off, this page has the question and what came of it.
function told(store: RunStore): string {
  const { end, run } = store.tree;
  const tag = label(store);
  const note = tag ? ` <i>(${escapeHtml(tag)})</i>` : '';
  const parts = [
    run ? `<p><b>Question</b> ${prose(run.query)}</p>` : '',
    isUnprotected(run) ? `<p><b>⚠ ${prose(isolationLabel(run, ENGLISH))}</b></p>` : '',
    end && end.answer !== null ? `<p><b>Answer</b>${note} ${prose(end.answer)}</p>` : '',
    end?.error ? `<p><b>Error</b> ${prose(errorText(end.error))}</p>` : '',
    '<p><b>Note</b> The steps of the run are drawn by a script, and scripts are off here.</p>'
  ];
  return `<div>${parts.filter(Boolean).join('\n')}</div>`;
}

function prose(text: string): string {
  return visible(text).split('\n').map(escapeHtml).join('<br>');
}
