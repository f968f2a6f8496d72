import type { WorkerServices } from '@ensconce/fuse/worker';
import { fileTagKeeper } from './file-tag-keeper.ts';
import { UnprotectedTagKeeper } from './tag-keeper.ts';
import type { TagKeeper } from './tag-keeper.ts';

/** Which keeper a worker is to use; structured-clonable. */
export type KeeperChoice =
  /** No roll-back of the whole directory is noticed, except to before `tag`. */
  | { readonly kind: 'unprotected'; readonly tag?: Uint8Array }
  /** A local file, which must lie where the attacker of the directory cannot write. */
  | { readonly kind: 'file'; readonly path: string };

export function openKeeper(choice: KeeperChoice, _services: WorkerServices): TagKeeper {
  return choice.kind === 'file' ? fileTagKeeper(choice.path) : new UnprotectedTagKeeper(choice.tag);
}
