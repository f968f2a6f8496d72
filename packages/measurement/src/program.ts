import { createHash } from 'node:crypto';
import { canonicalJson } from '@ensconce/base/json';
import type { DigestCache } from './digest-cache.ts';
import { readManifest } from './folder.ts';
import { manifestDigest } from './manifest.ts';

/** Folders and files of an Ensconce checkout whose contents decide what its services do. */
const roots = ['packages', 'services', 'apps', 'package-lock.json'];

/** A program that runs from an Ensconce checkout rather than from a confidential image: CAS on a developer's machine. */
export interface ProgramDescription {
  readonly format: 'ensconce-program/1';
  /** SHA-256 of the Node executable. */
  readonly node: string;
  /** Digest of the manifest of the checkout's sources, dependencies pinned by the lock file. */
  readonly sources: string;
}

/** Whether a file of a checkout counts in its measurement; `path` is relative to the checkout. */
export function isMeasuredSource(path: string): boolean {
  const parts = path.split('/');
  return (
    roots.includes(parts[0] ?? '') &&
    !parts.some((part) => part === 'node_modules' || part.endsWith('.test.ts'))
  );
}

/**
 * Describes the checkout at `folder`. Its tests, and the contents of node_modules, do not count: the lock file pins the
 * latter by hash, and simulated hardware protects nothing against the owner of the machine anyway.
 */
export function describeProgram(folder: string, node: string, cache: DigestCache): ProgramDescription {
  const entries = readManifest(folder, { cache, include: isMeasuredSource });
  const files = entries
    .filter((entry) => entry.type !== 'directory')
    .map((entry) => (entry.type === 'file' ? { ...entry, mode: 0 } : entry));
  return { format: 'ensconce-program/1', node, sources: manifestDigest(files) };
}

/** SHA-256, hex; stands where the image measurement stands for a confidential image. */
export function measureProgram(description: ProgramDescription): string {
  return createHash('sha256')
    .update(canonicalJson({ ...description }))
    .digest('hex');
}
