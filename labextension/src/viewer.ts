/** The viewer of a page of its own. It is large, so it is loaded when somebody asks for such a page. */

import type { Viewer } from './core/export/page';

/** The viewer that was built with the extension. */
export async function loadViewer(): Promise<Viewer> {
  const { SCRIPT, STYLE } = await import('./generated/viewer');
  return { script: SCRIPT, style: STYLE };
}
