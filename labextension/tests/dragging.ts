/** What Lumino wants of a browser as soon as it is loaded, and jsdom lacks. To be imported before it. */

import { vi } from 'vitest';

vi.stubGlobal('DragEvent', class extends MouseEvent {});
