import { createHash } from 'node:crypto';
import type { ReadOnlyTree } from '../tree.ts';

const latin1 = (bytes: Uint8Array) => Buffer.from(bytes).toString('latin1');

const digest = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');

/** Everything that can be seen of a tree, one line per path. */
export function walk(tree: ReadOnlyTree): string[] {
  const lines: string[] = [];
  const visit = (node: number, path: string): void => {
    const { ino: _, ...attributes } = tree.attributes(node);
    const contents = new Uint8Array(attributes.kind === 'file' ? attributes.size : 0);
    if (attributes.kind === 'file') tree.read(node, 0, contents.length, contents, 0);
    const target = attributes.kind === 'symlink' ? latin1(tree.readlink(node)) : '';
    const xattrs = tree
      .xattrNames(node)
      .map((name) => `${latin1(name)}=${latin1(tree.xattr(node, name) ?? new Uint8Array(0))}`);
    lines.push(JSON.stringify([path, attributes, target, xattrs, digest(contents)]));
    if (attributes.kind !== 'directory') return;
    const children: [Uint8Array, number][] = [];
    tree.list(node, 0, (name, child) => children.push([name, child]) > 0);
    for (const [name, child] of children) {
      if (tree.lookup(node, name) !== child) lines.push(`${path}/${latin1(name)}: listed, not found`);
      visit(child, `${path}/${latin1(name)}`);
    }
  };
  visit(1, '');
  return lines;
}
