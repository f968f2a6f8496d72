import { readFileSync } from 'node:fs';
import { RuntimeError } from './errors.ts';
import { resolveInRoot } from './in-root.ts';

/** Whom the application runs as. */
export interface ApplicationUser {
  readonly uid: number;
  readonly gid: number;
  readonly groups: readonly number[];
  readonly home: string;
}

const maxId = 0xffff_fffe;
const maxFileSize = 4 * 1024 * 1024;

function lines(root: string, path: string): string[][] {
  let bytes: Buffer;
  try {
    bytes = readFileSync(resolveInRoot(root, path));
  } catch (cause) {
    // An image without the file has no names; that is for the caller to refuse where one was asked for. A file that is
    // there and cannot be read may have been tampered with, and must not pass for a missing one.
    if (['ENOENT', 'ENOTDIR'].includes((cause as NodeJS.ErrnoException).code ?? '')) return [];
    throw new RuntimeError('CONFIGURATION', `${path} of the image: a readable file expected`, { cause });
  }
  if (bytes.length > maxFileSize)
    throw new RuntimeError(
      'CONFIGURATION',
      `${path} of the image: at most ${maxFileSize} bytes expected, ${bytes.length} found`,
    );
  const text = bytes.toString('latin1');
  return text.split('\n').map((line) => line.split(':'));
}

function id(text: string | undefined): number | undefined {
  if (text === undefined || !/^\d{1,10}$/.test(text)) return undefined;
  const value = Number(text);
  return value <= maxId ? value : undefined;
}

/** The first line that has this name or, for a number, this id. */
function find(entries: readonly string[][], wanted: string): string[] | undefined {
  const number = id(wanted);
  return entries.find((fields) => fields[0] === wanted || (number !== undefined && id(fields[2]) === number));
}

/**
 * Reads `user[:group]` of an OCI image configuration, names looked up in the image's own /etc/passwd and /etc/group.
 * As engines do: without a group the user's primary group, or 0, and the groups that list the user.
 */
export function resolveUser(root: string, text: string): ApplicationUser {
  const [userText = '', groupText] = text.split(':', 2);
  const passwd = lines(root, '/etc/passwd');
  const group = lines(root, '/etc/group');
  const wanted = userText === '' ? '0' : userText;
  const entry = find(passwd, wanted);
  const uid = id(entry?.[2]) ?? id(wanted);
  if (uid === undefined) {
    throw new RuntimeError(
      'CONFIGURATION',
      `user: a user of the image expected, ${JSON.stringify(userText)} is not in its /etc/passwd`,
    );
  }
  let gid = id(entry?.[3]) ?? 0;
  let groups: number[] = [];
  if (groupText !== undefined && groupText !== '') {
    const found = find(group, groupText);
    const explicit = id(found?.[2]) ?? id(groupText);
    if (explicit === undefined) {
      throw new RuntimeError(
        'CONFIGURATION',
        `user: a group of the image expected, ${JSON.stringify(groupText)} is not in its /etc/group`,
      );
    }
    gid = explicit;
  } else if (entry?.[0] !== undefined) {
    const name = entry[0];
    groups = group
      .filter((fields) => fields[3]?.split(',').includes(name))
      .flatMap((fields) => id(fields[2]) ?? []);
  }
  return { uid, gid, groups, home: entry?.[5] || '/' };
}
