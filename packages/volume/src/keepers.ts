import { fileTagKeeper } from './file-tag-keeper.ts';
import { UnprotectedTagKeeper } from './tag-keeper.ts';
import type { TagKeeper } from './tag-keeper.ts';

/** Which keeper a worker is to use; structured-clonable. */
export type KeeperChoice =
  /** No roll-back of the whole directory is noticed, except to before `tag`. */
  | { readonly kind: 'unprotected'; readonly tag?: Uint8Array }
  /** A local file, which must lie where the attacker of the directory cannot write. */
  | { readonly kind: 'file'; readonly path: string }
  /** The parent thread, by messages: see `answerTagKeeper`. */
  | { readonly kind: 'parent' };

/** A keeper that needs nobody else. */
export function openKeeper(choice: KeeperChoice, koffiPath?: string): TagKeeper {
  if (choice.kind === 'parent') throw new RangeError('a keeper in the parent is reached by its worker alone');
  return choice.kind === 'file'
    ? fileTagKeeper(choice.path, koffiPath)
    : new UnprotectedTagKeeper(choice.tag);
}
