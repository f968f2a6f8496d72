import { byShape, described, invalid, transform, type Form } from '../form/form.ts';
import { dictionary, list, map, oneOrList, optional, required, strict } from '../form/collection.ts';
import { freeText, integer, oneOf, text } from '../form/scalar.ts';
import { splitCommand } from '../command.ts';
import type { AttestationSigner, AttestationVariant, Fspf, Service } from '../session.ts';
import type { Place } from '../form/place.ts';
import type { YamlNode } from '../yaml/node.ts';
import { chip, snpGuests, tdxGuests } from './guest.ts';
import {
  absolutePath,
  freeName,
  hex,
  oneTimePasswordSecret,
  orReference,
  reference,
  serviceName,
  withReferences,
} from './names.ts';

const argument = withReferences(freeText());
const commandLine: Form<readonly string[]> = transform(argument, (value, node, place) => {
  const words = splitCommand(value);
  if (!('message' in words)) return words;
  place.error(node.offset, words.message);
  return invalid;
});
const command = transform(
  byShape(
    { scalar: commandLine, list: list(argument, { min: 1, of: 'arguments' }) },
    'a command line or a list of arguments',
  ),
  (words, node, place) => {
    const bad = words.find((word) => word.includes('\0'));
    if (bad === undefined && words.length > 0 && words[0] !== '') return words;
    place.error(
      node.offset,
      bad === undefined
        ? 'a program and its arguments expected, nothing found'
        : 'arguments without NUL expected, one with NUL found',
    );
    return invalid;
  },
);

/** Lower-cased where it is a measurement. Anything else is kept, matches nothing and is warned of. */
const measurement: Form<string> = orReference(
  transform(
    text({ expected: 'a measurement (64 hexadecimal digits)', minLength: 1, maxLength: 512 }),
    (value, node, place) => {
      if (/^[0-9a-fA-F]{64}$/.test(value)) return value.toLowerCase();
      place.warning(
        node.offset,
        '64 hexadecimal digits expected, something else found: it matches no measurement',
      );
      return value;
    },
  ),
);
export const measurements = oneOrList(measurement, { min: 1, of: 'measurements' });

/** A product id or security version. */
export const versionNumber = orReference<number>(
  integer({ min: 0, max: 65_535, expected: 'a number from 0 to 65535' }),
);
/** Hash of the key that signed an enclave. */
export const mrsigner = orReference(hex(32));
export const signer: Form<AttestationSigner> = transform(
  map(
    {
      mrsigner: required(mrsigner, 'Hash of the key that signed the enclave.'),
      isvprodid: optional(versionNumber, 'Product id that the signer gave.'),
      isvsvn: strict(versionNumber, 'Exact security version.'),
      isvsvn_min: strict(versionNumber, 'Lowest security version, inclusive.'),
      isvsvn_max: strict(versionNumber, 'Highest security version, inclusive.'),
    },
    'a signer',
  ),
  (value, node, place) => {
    const { isvsvn, isvsvn_min: min, isvsvn_max: max } = value;
    if (isvsvn !== undefined && (min !== undefined || max !== undefined)) {
      place.error(node.offset, 'isvsvn or isvsvn_min and isvsvn_max expected, both found');
      return invalid;
    }
    if (typeof min === 'number' && typeof max === 'number' && min > max) {
      place.error(node.offset, `isvsvn_min at most isvsvn_max expected, ${min} and ${max} found`);
      return invalid;
    }
    if (value.isvprodid === undefined)
      place.warning(node.offset, 'without isvprodid every product of this signer is accepted');
    if (isvsvn === undefined && min === undefined) {
      place.warning(node.offset, 'without isvsvn or isvsvn_min every old version of this signer is accepted');
    }
    return {
      mrsigner: value.mrsigner,
      isvprodid: value.isvprodid,
      isvsvnMin: isvsvn ?? min,
      isvsvnMax: isvsvn ?? max,
    };
  },
);

const variant: Form<AttestationVariant> = byShape<AttestationVariant, never, AttestationVariant>(
  {
    scalar: transform(reference, (value) => ({ fragments: [value] })),
    map: transform(
      described(
        map(
          {
            mrenclave: strict(measurements, 'Accepted measurements: any of them.'),
            signer: strict(
              byShape<string, never, AttestationSigner>({ scalar: reference, map: signer }, 'a signer'),
              'Accepted signer of the enclave.',
            ),
          },
          'an attestation variant',
        ),
        { minProperties: 1 },
      ),
      (value, node, place) => {
        if (value.mrenclave === undefined && value.signer === undefined) {
          place.error(
            node.offset,
            'at least one of mrenclave and signer expected, none found: that would accept everything',
          );
          return invalid;
        }
        return typeof value.signer === 'string'
          ? { mrenclave: value.mrenclave, fragments: [value.signer] }
          : { mrenclave: value.mrenclave, signer: value.signer };
      },
    ),
  },
  'a map of attestation factors or a reference',
);
export const attestation = oneOrList(variant, { min: 1, of: 'attestation variants' });

const hostKey = /^(?:\\@\\@|@@)(.+)$/s;
const environment = dictionary(
  {
    pattern:
      /^(?!(?:\\@\\@|@@)?(?:__proto__|prototype|constructor)$)(?:(?:\\@\\@|@@)[A-Za-z_][A-Za-z0-9_]*|[^=\p{Cc}@\\][^=\p{Cc}]*)$/u,
    expected: 'the name of a variable, or \\@\\@NAME for one of the host',
  },
  transform(withReferences(freeText()), (value, node, place) => {
    if (!value.includes('\0')) return value;
    place.error(node.offset, 'a value without NUL expected, one with NUL found');
    return invalid;
  }),
  'a map of variables',
);

export const platform = orReference(
  transform(
    text({
      expected: 'INTEL_QE_ID:<32 hex> or a key of 64 hexadecimal digits',
      pattern: /^(?:INTEL_QE_ID:[0-9a-fA-F]{32}|[0-9a-fA-F]{64})$/,
    }),
    (value, node, place) => {
      place.warning(
        node.offset,
        value.includes(':')
          ? 'software of the host chooses the id of a quoting enclave: pin machines as ensconce: {platforms: […]}'
          : 'an id INTEL_QE_ID:<32 hex> expected, the key of a quoting enclave of former versions found: it matches nothing',
      );
      return value;
    },
  ),
);

const user = text({
  expected: 'uid[:gid] or user[:group]',
  pattern: /^(?:[A-Za-z0-9_][A-Za-z0-9_.-]{0,63})?(?::[A-Za-z0-9_][A-Za-z0-9_.-]{0,63})?$/,
});
const capability = text({ expected: 'a capability (CAP_CHOWN)', pattern: /^CAP_[A-Z_]{1,40}$/ });

/** Nothing that would open the machine itself, or the runtime, to the program. */
const hostFile = transform(absolutePath, (value, node, place) => {
  if (!/^\/(?:(?:proc|sys|dev|\.ensconce)(?:\/|$)|$)/.test(value)) return value;
  place.error(node.offset, `a file outside /proc, /sys, /dev and /.ensconce expected, \`${value}\` found`);
  return invalid;
});

const extension = map(
  {
    user: optional(
      user,
      'User that the program runs as, as in an OCI image: uid[:gid] or names; root if absent.',
    ),
    host_files: optional(
      list(hostFile, { of: 'paths' }),
      'Files of the host that are visible at the same path, read-only and unprotected.',
    ),
    capabilities: strict(
      list(capability, { of: 'capabilities' }),
      'Capabilities that the program may hold; the container engine’s default set if absent.',
    ),
    platforms: strict(
      list(chip, { min: 1, of: 'platforms' }),
      'Machines that may run this service, by the id that the vendor certifies; any if absent.',
    ),
    tdx: strict(tdxGuests, 'TDX guests that may run this service: all that pins one.'),
    snp: strict(snpGuests, 'SEV-SNP guests that may run this service: all that pins one.'),
  },
  'ensconce (service)',
);

const relativePath = text({ expected: 'a path', pattern: /^\P{Cc}+$/u, maxLength: 4096 });
const updatePolicy = oneOf(['rollback_protected_reinitializable', 'no_rollback_protection']);

const fields = {
  name: required(serviceName, 'Name of the service; session/name is its config id.'),
  image_name: optional(freeName, 'The entry of images that this service uses.'),
  command: optional(
    command,
    'Program and arguments: a list, or a line that is split on white space with quotes.',
  ),
  environment: optional(environment, 'The only variables that the program sees.'),
  pwd: optional(absolutePath, 'Working directory; / if absent.'),
  fspf_path: optional(relativePath, 'File system protection file.'),
  fspf_key: optional(orReference(hex(32)), 'Its key, 64 hexadecimal digits or a reference.'),
  fspf_tag: optional(orReference(hex(16)), 'Its tag, 32 hexadecimal digits.'),
  fspf_update_policy: optional(updatePolicy, 'Which older states of the file system are accepted.'),
  attestation: strict(attestation, 'What may run as this service: a map is AND, a list is OR.'),
  mrenclaves: strict(measurements, 'Accepted measurements (older form of attestation).'),
  platforms: strict(
    list(platform, { min: 1, of: 'platforms' }),
    'Machines that may run this service; any if absent.',
  ),
  one_time_password_shared_secret: strict(
    oneTimePasswordSecret,
    'Secret of one-time passwords for this service.',
  ),
  tags: optional(
    list(text({ expected: 'a tag' }), { of: 'tags' }),
    'No longer used.',
    '`tags` is no longer used and has no effect',
  ),
  persistency: optional(freeText(), 'Printed by older tools.', '`persistency` has no effect'),
  ensconce: optional(extension, 'What the session language itself lacks.'),
} as const;

export const service: Form<Service> = transform(map(fields, 'a service'), (value, node, place) => {
  const variables = value.environment ?? new Map<string, string>();
  const own: [string, string][] = [];
  const fromHost = new Set<string>();
  for (const [key, content] of variables) {
    const host = hostKey.exec(key)?.[1];
    if (host === undefined) own.push([key, content]);
    else fromHost.add(host);
  }
  const both = own.find(([key]) => fromHost.has(key));
  if (both)
    place.error(node.offset, `${both[0]} either from the policy or from the host expected, both found`);
  return {
    name: value.name,
    imageName: value.image_name,
    command: value.command ?? [],
    environment: Object.fromEntries(own),
    hostEnvironment: [...fromHost].sort(),
    pwd: value.pwd ?? '/',
    fspf: fspfOf(value, node, place),
    attestation: variantsOf(value.attestation, value.mrenclaves, node, place),
    platforms: value.platforms,
    chips: value.ensconce?.platforms,
    oneTimePasswordSharedSecret: value.one_time_password_shared_secret,
    user: value.ensconce?.user,
    hostFiles: value.ensconce?.host_files ?? [],
    capabilities: value.ensconce?.capabilities,
    tdx: value.ensconce?.tdx,
    snp: value.ensconce?.snp,
  };
});

function fspfOf(
  value: {
    readonly fspf_path?: string | undefined;
    readonly fspf_key?: string | undefined;
    readonly fspf_tag?: string | undefined;
    readonly fspf_update_policy?: Fspf['updatePolicy'];
  },
  node: YamlNode,
  place: Place,
): Fspf | undefined {
  const { fspf_path: path, fspf_key: key, fspf_tag: tag, fspf_update_policy: policy } = value;
  if (path === undefined && key === undefined && tag === undefined && policy === undefined) return undefined;
  if ((key === undefined) !== (tag === undefined)) {
    place.error(node.offset, 'fspf_key and fspf_tag together expected, one alone found');
  }
  return { path, key, tag, updatePolicy: policy };
}

/** `mrenclaves` beside `attestation` is one more condition: both must hold. */
function variantsOf(
  variants: readonly AttestationVariant[] | undefined,
  legacy: readonly string[] | undefined,
  node: YamlNode,
  place: Place,
): readonly AttestationVariant[] {
  if (legacy === undefined) return variants ?? [];
  if (variants === undefined) return [{ mrenclave: legacy }];
  place.error(node.offset, 'attestation or mrenclaves expected, both found');
  return variants;
}
