import { byShape, invalid, transform, type Form, type Invalid } from '../form/form.ts';
import { map, optional } from '../form/collection.ts';
import { scalar } from '../form/scalar.ts';
import {
  canonicalPem,
  creatorFromSigner,
  keyHashOfCertificate,
  keyHashPattern,
  writtenKeyHashPattern,
  readCertificate,
} from '../key-hash.ts';
import type { AccessEntry, AccessPolicy, AccessRule } from '../session.ts';
import { nounOf, type YamlNode } from '../yaml/node.ts';
import type { Place } from '../form/place.ts';
import { suggest } from '../form/suggestion.ts';
import { canonicalJson } from '@ensconce/base/json';
import { fromUtf8 } from '@ensconce/base/bytes';
import { attempt, reference } from './names.ts';

type Right = 'read' | 'update' | 'create_sessions' | 'list_sessions';
const words = { CREATOR: 'creator', ANY: 'any', NONE: 'none' } as const;

const requirePattern = /^require-(?:all|at-least-([0-9]{1,6}))$/;

function entryForm(right: Right): Form<AccessEntry> {
  return {
    schema: { $ref: '#/$defs/accessEntry' },
    read: (node, place) => (node.type === 'map' ? mapEntry(node, place, right) : scalarEntry(node, place)),
  };
}

function scalarEntry(node: YamlNode, place: Place): AccessEntry | Invalid {
  const expected = 'CREATOR, ANY, NONE, a certificate, a key hash or a reference';
  const value = scalar(node, place, expected);
  if (value === invalid) return invalid;
  if (Object.hasOwn(words, value)) return { kind: words[value as keyof typeof words] };
  if (value.startsWith('$$SCONE::')) {
    const read = reference.read(node, place);
    return read === invalid ? invalid : { kind: 'reference', reference: read };
  }
  if (value.includes('-----BEGIN')) {
    return attempt(node, place, () => ({
      kind: 'key' as const,
      keyHash: keyHashOfCertificate(value),
      pem: canonicalPem('CERTIFICATE', readCertificate(value).raw),
    }));
  }
  if (writtenKeyHashPattern.test(value)) {
    if (!keyHashPattern.test(value)) {
      place.warning(
        node.offset,
        `a key hash of 32 to 44 characters expected, one of ${value.length} found: it matches nobody`,
      );
    }
    return { kind: 'key', keyHash: value };
  }
  place.error(node.offset, `${expected} expected, ${nounOf(node)} found`, () =>
    suggest(value.toUpperCase(), Object.keys(words)),
  );
  return invalid;
}

function mapEntry(
  node: YamlNode & { readonly type: 'map' },
  place: Place,
  right: Right,
): AccessEntry | Invalid {
  const entry = node.entries[0];
  if (!entry || node.entries.length !== 1) {
    place.error(
      node.offset,
      `one of signer, require-all and require-at-least-N expected, ${node.entries.length} keys found`,
    );
    return invalid;
  }
  const at = place.key(entry.key);
  const governed = right === 'update' || right === 'create_sessions';
  if (entry.key === 'signer') {
    if (right === 'read' || right === 'list_sessions') {
      at.error(
        entry.keyOffset,
        `certificates or key hashes expected in ${right} (a reader signs nothing), a signer found`,
      );
      return invalid;
    }
    return signer(entry.value, at);
  }
  const match = requirePattern.exec(entry.key);
  if (!match) {
    at.error(
      entry.keyOffset,
      `one of signer, require-all and require-at-least-N expected, ${JSON.stringify(entry.key.slice(0, 60))} found`,
      () => suggest(entry.key, ['signer', 'require-all', 'require-at-least-2']),
    );
    return invalid;
  }
  if (!governed) {
    at.error(
      entry.keyOffset,
      `governance only in update and create_sessions expected, ${entry.key} in ${right} found`,
    );
    return invalid;
  }
  return governance(
    entry.value,
    at,
    right,
    match[1] === undefined ? 'all' : Number(match[1]),
    entry.keyOffset,
  );
}

function signer(node: YamlNode, place: Place): AccessEntry | Invalid {
  const value = scalar(node, place, 'a PEM public key or a reference');
  if (value === invalid) return invalid;
  if (value.startsWith('$$SCONE::')) {
    const read = reference.read(node, place);
    return read === invalid ? invalid : { kind: 'signer-reference', reference: read };
  }
  return attempt(node, place, () => {
    const { pem, keyHash } = creatorFromSigner(value);
    return { kind: 'signer' as const, keyHash, pem };
  });
}

function governance(
  node: YamlNode,
  place: Place,
  right: Right,
  atLeast: number | 'all',
  keyOffset: number,
): AccessEntry | Invalid {
  if (node.type !== 'list' || node.items.length === 0) {
    place.error(node.offset, `at least one of those who must agree expected, ${nounOf(node)} found`);
    return invalid;
  }
  const form = entryForm(right);
  const members = node.items.map((item, index) => form.read(item, place.item(index)));
  if (members.includes(invalid)) return invalid;
  const entries = members as AccessEntry[];
  if (entries.some((entry) => entry.kind === 'any' || entry.kind === 'none')) {
    place.error(
      node.offset,
      'certificates, key hashes, signers and governance expected here, ANY or NONE found',
    );
    return invalid;
  }
  const distinct = distinctEntries(entries);
  if (distinct.length < entries.length) {
    place.warning(
      node.offset,
      `${entries.length} different members expected, ${distinct.length} found: one key counts once`,
    );
  }
  const keys = Math.min(distinct.length, distinctKeys(distinct).size);
  if (atLeast !== 'all' && (atLeast === 0 || atLeast > keys)) {
    place.error(
      keyOffset,
      `a number from 1 to ${keys} (its different members and their keys) expected after require-at-least-, ${atLeast} found`,
    );
    return invalid;
  }
  return { kind: 'require', atLeast, of: distinct };
}

/** One key in two encodings, as certificate, hash or signer, is one member. */
function distinctEntries(entries: readonly AccessEntry[]): readonly AccessEntry[] {
  const seen = new Set<string>();
  return entries.filter((entry) => {
    const identity = 'keyHash' in entry ? entry.keyHash : fromUtf8(canonicalJson(entry));
    if (seen.has(identity)) return false;
    seen.add(identity);
    return true;
  });
}

/** Who could agree at all, in nested rules too. */
function distinctKeys(entries: readonly AccessEntry[], keys = new Set<string>()): ReadonlySet<string> {
  for (const entry of entries) {
    if (entry.kind === 'require') distinctKeys(entry.of, keys);
    else keys.add('keyHash' in entry ? entry.keyHash : fromUtf8(canonicalJson(entry)));
  }
  return keys;
}

/** One rule, as it is read for one right. */
export function accessRule(right: keyof AccessPolicy): Form<AccessRule> {
  return rule(rightOf[right]);
}

const rightOf = {
  read: 'read',
  update: 'update',
  createSessions: 'create_sessions',
  listSessions: 'list_sessions',
} as const;

/** A signer's public key, without the key `signer` before it. */
export const signerEntry: Form<AccessEntry> = { schema: { type: 'string' }, read: signer };

function rule(right: Right): Form<AccessRule> {
  const entry = entryForm(right);
  const single = transform(entry, (value): AccessRule => [value]);
  return byShape(
    {
      scalar: single,
      map: single,
      list: {
        schema: { $ref: '#/$defs/accessList' },
        read(node, place) {
          if (node.type !== 'list') return invalid;
          if (node.items.length === 0) {
            place.error(
              node.offset,
              'at least one entry expected (NONE where nobody is meant), an empty list found',
            );
            return invalid;
          }
          const entries = node.items.flatMap((item, index) => {
            const read = entry.read(item, place.item(index));
            return read === invalid ? [] : [read];
          });
          if (node.items.length > 1 && entries.some(({ kind }) => kind === 'any' || kind === 'none')) {
            place.error(node.offset, `ANY or NONE alone expected, ${node.items.length} entries found`);
            return invalid;
          }
          return entries;
        },
      },
    },
    'a list of who may do this',
  );
}

export const defaultAccess: AccessPolicy = {
  read: [{ kind: 'creator' }],
  update: [{ kind: 'creator' }],
  createSessions: [{ kind: 'creator' }],
  listSessions: [{ kind: 'creator' }],
};

/** What a whole-section reference means until it is resolved: nobody but whom the reference will name. */
function referenced(value: string): AccessPolicy {
  const entry: AccessRule = [{ kind: 'reference', reference: value }];
  return { read: entry, update: entry, createSessions: entry, listSessions: entry };
}

export const accessPolicy: Form<AccessPolicy> = byShape(
  {
    scalar: transform(reference, referenced),
    map: transform(
      map(
        {
          read: optional(rule('read'), 'Who may read the session; its creator if absent.'),
          update: optional(rule('update'), 'Who may change the session; its creator if absent.'),
          create_sessions: optional(
            rule('create_sessions'),
            'Who may create sessions inside it; as update if absent.',
          ),
          list_sessions: optional(
            rule('list_sessions'),
            'Who may list the sessions inside it; as read if absent.',
          ),
        },
        'an access policy',
      ),
      (value): AccessPolicy => {
        const read = value.read ?? defaultAccess.read;
        const update = value.update ?? defaultAccess.update;
        return {
          read,
          update,
          createSessions: value.create_sessions ?? update,
          listSessions: value.list_sessions ?? read,
        };
      },
    ),
  },
  'an access policy',
);
