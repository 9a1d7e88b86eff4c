/** The ways a run leaves the tree: as files a person keeps or mails. */

import type { ViewState } from '../model/state';
import type { Host } from './host';
import type { MenuItem } from './menu';

/** What the menu offers. */
export function exportItems(state: ViewState, host: Host): MenuItem[] {
  void state;
  void host;
  return [];
}
