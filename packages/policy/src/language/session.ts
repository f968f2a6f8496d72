import { byShape, invalid, transform, type Form } from '../form/form.ts';
import { list, map, optional, required, strict } from '../form/collection.ts';
import { boolean, freeText, text } from '../form/scalar.ts';
import { creatorFromCertificate, creatorFromSigner } from '../key-hash.ts';
import type { Creator, SecretConfig, Session } from '../session.ts';
import { nounOf } from '../yaml/node.ts';
import { accessPolicy, accessRule, defaultAccess } from './access.ts';
import { evaluationNumber, graceDays, tcbDate, teeAdvisories } from './guest.ts';
import { image } from './image.ts';
import { attempt, hex, hexOrNone, secretName, sessionName } from './names.ts';
import { secret } from './secret.ts';
import { defaultSecurity, security } from './security.ts';
import { service } from './service.ts';
import { volume } from './volume.ts';

/** The newest version of the language that this reads. */
export const newestVersion = '0.3.12';
const version = text({
  expected: `a version of the session language (0.1, 0.2, 0.3, 0.3.1 to ${newestVersion})`,
  pattern: /^0\.(?:1|2|3(?:\.(?:[0-9]|1[0-2]))?)$/,
});

const pem = text({ expected: 'PEM', minLength: 1, maxLength: 16_384 });
const creator: Form<Creator> = byShape(
  {
    scalar: transform(pem, (value, node, place) => attempt(node, place, () => creatorFromCertificate(value))),
    map: transform(
      map({ signer: required(pem, 'Public key of the signer.') }, 'a creator'),
      ({ signer }, node, place) => attempt(node, place, () => creatorFromSigner(signer)),
    ),
  },
  'a certificate or a map with signer',
);

const akvFields = map(
  {
    token: required(secretName, 'The aad-token secret.'),
    vault: required(text({ expected: 'a vault', minLength: 1 }), 'The vault.'),
  },
  '!akv',
);
/** YAML tags choose here; nowhere else do they mean anything. */
const storeIn: Form<SecretConfig> = {
  schema: {},
  read(node, place) {
    if (node.tag === '!cas') return { storeIn: 'cas' };
    if (node.tag === '!akv') {
      const read = akvFields.read({ ...node, tag: undefined }, place);
      return read === invalid ? invalid : { storeIn: 'akv', token: read.token, vault: read.vault };
    }
    place.error(
      node.offset,
      `!cas or !akv with token and vault expected, ${nounOf(node)} without such a tag found`,
    );
    return invalid;
  },
};

const extension = map(
  {
    accept_simulation: strict(
      boolean(),
      'Whether evidence of simulated hardware, which protects nothing, is accepted.',
    ),
    minimum_tcb_date: strict(tcbDate, 'TCB levels that were published before this day are refused.'),
    delete: strict(accessRule('update'), 'Who may delete the session; as update if absent.'),
    advisory_grace_days: strict(
      graceDays,
      'For how many days a platform may lack an update; none if absent.',
    ),
    minimum_evaluation_number: strict(
      evaluationNumber,
      'TCB information of Intel of an older evaluation is refused.',
    ),
    ignore_advisories: strict(
      teeAdvisories,
      'For the TEEs that it names, instead of security.attestation.ignore_advisories.',
    ),
  },
  'ensconce',
);

/** A name that cannot be used is reported, and the rest looked at all the same; an error leaves no session in any case. */
const reportedName: Form<string> = {
  schema: sessionName.schema,
  read(node, place) {
    const name = sessionName.read(node, place);
    return name === invalid ? 'unnamed' : name;
  },
};

export const sessionForm = map(
  {
    name: required(reportedName, 'Name of the session: namespace/name, or / for the root namespace.'),
    version: optional(version, 'Version of the session language.'),
    predecessor: optional(hexOrNone(32), 'Hash of the session that this one replaces.'),
    namespace_hash: strict(hex(32), 'What the hash of the parent session must be at creation.'),
    salt: strict(hex(16), '16 bytes in hexadecimal.'),
    creator: optional(creator, 'Filled in by CAS, or by the CLI for signed sessions.'),
    services: optional(list(service, { of: 'services' }), 'What may run, and with what.'),
    images: optional(list(image, { of: 'images' }), 'Files and volumes of the services.'),
    volumes: optional(list(volume, { of: 'volumes' }), 'Encrypted volumes.'),
    secrets: optional(list(secret, { of: 'secrets' }), 'Values that CAS generates or keeps.'),
    access_policy: optional(accessPolicy, 'Who may read and change this session.'),
    security: optional(security, 'What evidence must show.'),
    secret_config: optional(
      transform(
        map({ store_in: required(storeIn, 'Where generated secrets are kept.') }, 'secret_config'),
        (value) => value.store_in,
      ),
      'Where generated secrets are kept.',
    ),
    ensconce: optional(extension, 'What the session language itself lacks.'),
    digest: optional(freeText(), 'No longer used.', '`digest` is no longer used and has no effect'),
    persistency: optional(freeText(), 'Printed by older tools.', '`persistency` has no effect'),
  },
  'a session',
);

export const session: Form<Session> = transform(sessionForm, (value) => ({
  name: value.name,
  version: value.version ?? '0.1',
  predecessor: value.predecessor,
  namespaceHash: value.namespace_hash,
  salt: value.salt,
  creator: value.creator,
  services: value.services ?? [],
  images: value.images ?? [],
  volumes: value.volumes ?? [],
  secrets: value.secrets ?? [],
  accessPolicy: value.access_policy ?? defaultAccess,
  security: value.security ?? defaultSecurity,
  secretConfig: value.secret_config,
  acceptSimulation: value.ensconce?.accept_simulation ?? false,
  minimumTcbDate: value.ensconce?.minimum_tcb_date,
  delete: value.ensconce?.delete,
  advisoryGraceDays: value.ensconce?.advisory_grace_days,
  minimumEvaluationNumber: value.ensconce?.minimum_evaluation_number,
  ignoreAdvisoriesOf: value.ensconce?.ignore_advisories,
}));
