import { CliError } from '../errors.ts';

/** What `-o` says, as in fstab. */
export interface MountOptions {
  readonly keyFile?: string;
  readonly tagFile?: string;
  readonly tag?: string;
  readonly logFile?: string;
  readonly readOnly: boolean;
  readonly noExec: boolean;
  readonly noSuid: boolean;
}

const values = { 'key-file': 'keyFile', 'tag-file': 'tagFile', tag: 'tag', 'log-file': 'logFile' } as const;
const flags = {
  ro: { readOnly: true },
  rw: { readOnly: false },
  noexec: { noExec: true },
  exec: { noExec: false },
  nosuid: { noSuid: true },
  suid: { noSuid: false },
} as const;
/** Said of every volume, or meant for those who read fstab. */
const without = new Set([
  'defaults',
  'nodev',
  'allow_other',
  'default_permissions',
  'relatime',
  'noatime',
  'nodiratime',
  'auto',
  'noauto',
  'nofail',
  '_netdev',
]);
const forOthers = /^(?:x-[\w.-]+|comment)(?:=|$)/;

/**
 * Reads mount options (`key-file=/etc/key,ro`). `\,` stands for a comma in a value.
 *
 * @throws CliError `CLI_USAGE` for one that is unknown or given without its value
 */
export function parseMountOptions(text: string): MountOptions {
  const found: Record<string, string | boolean> = {};
  let options: { readOnly: boolean; noExec: boolean; noSuid: boolean } = {
    readOnly: false,
    noExec: false,
    noSuid: false,
  };
  for (const part of text.split(/(?<!\\),/)) {
    const [name = '', ...rest] = part.split('=');
    const value = rest.join('=').replaceAll('\\,', ',');
    if (part === '' || without.has(part) || forOthers.test(part)) continue;
    if (Object.hasOwn(flags, part)) options = { ...options, ...flags[part as keyof typeof flags] };
    else if (Object.hasOwn(values, name) && value !== '') found[values[name as keyof typeof values]] = value;
    else
      throw new CliError('CLI_USAGE', `-o: mount options of a volume expected, ${part} found`, {
        hint: 'key-file=FILE, tag-file=FILE, tag=HEX, log-file=FILE, ro, rw, noexec, nosuid and what fstab has for others',
      });
  }
  return { ...found, ...options };
}
