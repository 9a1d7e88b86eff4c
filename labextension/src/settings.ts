/** What a person has set for all runs: the settings of this extension, checked. */

import type { ISettingRegistry } from '@jupyterlab/settingregistry';

import { LENSES } from './core/model/state';
import type { LensName } from './core/model/state';
import { Signal } from './core/signal';
import { isFields } from './core/trace/read';

export const PLUGIN_ID = 'rlm-kernel:plugin';

export interface Values {
  /** Whether the newest step is kept in sight. */
  readonly follow: boolean;
  /** The most a tree below a cell takes, in pixels. */
  readonly height: number;
  /** What of a run is shown first. */
  readonly lens: LensName;
  /** Whether `%%rlm` cells are edited as prose. */
  readonly prose: boolean;
}

export const DEFAULTS: Values = { follow: true, height: 480, lens: 'tree', prose: true };

/** The settings as they are now; `changed` after each change. */
export class Settings {
  readonly changed = new Signal();
  private read: Values = DEFAULTS;
  private stored: ISettingRegistry.ISettings | null = null;

  get values(): Values {
    return this.read;
  }

  /** Takes the settings from JupyterLab, now and whenever they change there. */
  async load(registry: ISettingRegistry): Promise<void> {
    const stored = await registry.load(PLUGIN_ID);
    const take = () => {
      this.read = readValues(stored.composite);
      this.changed.emit();
    };
    this.stored = stored;
    stored.changed.connect(take);
    take();
  }

  /** Sets, and where JupyterLab keeps settings keeps, whether runs are followed. */
  async setFollow(follow: boolean): Promise<void> {
    if (this.stored) {
      await this.stored.set('follow', follow);
    } else {
      this.read = { ...this.read, follow };
      this.changed.emit();
    }
  }
}

/** Each value that is one, and the default for every other. */
export function readValues(data: unknown): Values {
  const given = isFields(data) ? data : {};
  const { follow, height, lens, prose } = given;
  return {
    follow: typeof follow === 'boolean' ? follow : DEFAULTS.follow,
    height: typeof height === 'number' && height > 0 ? height : DEFAULTS.height,
    lens: LENSES.find(each => each === lens) ?? DEFAULTS.lens,
    prose: typeof prose === 'boolean' ? prose : DEFAULTS.prose
  };
}
