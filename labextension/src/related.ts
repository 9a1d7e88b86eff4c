/** What the kernels of the page tell of the runs that were made from one. */

import type { RunSource } from './core/model/relatives';
import type { Registry } from './registry';

/** The runs of the registry, for a view of one of them. */
export function runSource(registry: Registry): RunSource {
  return {
    listen: listener =>
      registry.changed.connect(() => {
        listener();
      }),
    madeFrom: run =>
      registry
        .relatives(run)
        .flatMap(({ run: id, origin }) => (origin ? [{ run: id, kind: origin.kind, at: origin.at }] : [])),
    watch: run => registry.watch(run)
  };
}
