import type { Command } from 'commander';
import type { Io } from './io.ts';

/** One verb of the command line: a small file in verbs/, registered in verbs.ts. */
export interface Verb {
  /** As typed: `cas serve`. The words before the last are groups. */
  readonly name: string;
  /** One line for lists. */
  readonly summary: string;
  /** Whole command lines for --help. */
  readonly examples: readonly string[];
  /** What --help says of exit codes, where the verb has others than the rest. */
  readonly exitCodes?: string;
  /** Adds arguments, options and the action. The action throws to fail; it sets nothing global. */
  readonly define: (command: Command, io: Io) => void;
}

/** What the groups are about. */
export const groups: Readonly<Record<string, string>> = {
  cas: 'configuration and attestation service',
  las: 'local attestation service of a node',
  evidence: 'what TEEs say of themselves',
  'evidence collateral': "the vendors' signed statements that evidence is judged by",
  session: 'sessions: what may run, and what it gets',
  volume: 'encrypted, tamper-evident folders to write to',
  fspf: "SCONE's forms of commands for volumes",
  self: 'the identity of this command',
  cert: 'certificates of others',
};
