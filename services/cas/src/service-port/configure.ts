import type { Released } from '@ensconce/audit/event';
import { EnsconceError } from '@ensconce/base/errors';
import { resolveReference } from '@ensconce/policy/secret-format';
import { templateSecrets, usedSecrets } from '@ensconce/policy/service-secrets';
import { imageOf, type Secret, type Service, type Session } from '@ensconce/policy/session';
import { references, type Lookup } from '@ensconce/policy/substitution';
import { unsupportedBy } from '@ensconce/policy/unsupported';
import { deliveryLookup } from '@ensconce/secrets/delivery';
import { SecretsError } from '@ensconce/secrets/errors';
import { neededSecrets } from '@ensconce/secrets/needed';
import type { ImageDescription } from '@ensconce/measurement/image';
import type { Configuration, ConfiguredVolume } from '@ensconce/wire/configuration';
import { CasError } from '../errors.ts';
import { givenVolumes, type GivenVolume, type VolumeContext } from '../volumes/given-volumes.ts';
import type { SecretValues, Values } from '../sessions/secret-values.ts';
import { secretsFailure } from '../sessions/secrets-failure.ts';
import type { StoredSession } from '../sessions/session-record.ts';
import { ReleaseList } from '../starts/released.ts';
import { renderConfiguration } from '../starts/render-configuration.ts';
import type { EncodedConfiguration } from '../starts/start-record.ts';
import { checkLayers } from './measured-layers.ts';

/** All that is known of an attested service. */
export interface Delivery {
  readonly stored: StoredSession;
  readonly service: Service;
  /** What was measured. */
  readonly description: ImageDescription;
  /** The image measurement, hex; `software_identity` in tokens. */
  readonly measurement: string;
  /** What {@link secretsFor} gave. */
  readonly secrets: Values['secrets'];
  readonly values: SecretValues;
  readonly now: Date;
  readonly volumes: Pick<VolumeContext, 'tags' | 'find' | 'bind'>;
}

/** What leaves, and which volumes the service may ask about afterwards. */
export interface Delivered {
  readonly configuration: Configuration | EncodedConfiguration;
  readonly volumes: readonly GivenVolume[];
  /** What of which session is in the configuration. */
  readonly released: readonly Released[];
}

/** What an attested service is given: the session's entry for it, secrets put in. */
export async function configure(delivery: Delivery): Promise<Delivered> {
  const { stored, service, description, secrets } = delivery;
  const { session } = stored;
  const where = `${session.name}/${service.name}`;
  const [reason] = unsupportedBy(session, service.name);
  if (reason !== undefined) {
    throw new CasError(
      'CAS_SERVICE_UNSUPPORTED',
      `service '${where}': this CAS cannot start it yet: ${reason}`,
    );
  }
  const image = imageOf(session, service);
  if (image === undefined) {
    throw new CasError('CAS_SERVICE_UNSUPPORTED', `service '${where}': an image expected, none found`, {
      hint: 'give the service an image_name, and an entry in images with ensconce: {layers: …}',
    });
  }
  try {
    const released = new ReleaseList(delivery.volumes.find);
    const names = namesFor(session, service);
    const inTemplates = templateSecrets(session, image);
    const lookup = released.recording(stored, await lookupIn(delivery, session, secrets, names, inTemplates));
    const volumes = await givenVolumes(
      {
        ...delivery.volumes,
        lookup: async (of) => {
          if (of === stored) return lookup;
          const keys = keySecrets(of.session);
          const { secrets: values } = await delivery.values.of(of, keys);
          return released.recording(of, await lookupIn(delivery, of.session, values, keys));
        },
      },
      stored,
      image.volumes,
    );
    for (const { owner } of volumes) released.addVolume(owner);
    checkLayers(
      image.layers.map(({ root }) => root),
      description,
      image.name,
      where,
    );
    const rendered = renderConfiguration({ stored, service, image, secrets, lookup, inTemplates });
    const configuration = volumes.length > 0 ? { ...rendered, volumes: volumes.map(configured) } : rendered;
    return { configuration, volumes, released: released.list() };
  } catch (cause) {
    if (cause instanceof CasError || !(cause instanceof EnsconceError)) throw cause;
    if (cause instanceof SecretsError) throw notHad(where, cause);
    throw new CasError('CAS_SERVICE_UNSUPPORTED', `service '${where}': its configuration cannot be made`, {
      cause,
    });
  }
}

/**
 * The secrets that a service gets, and those that `texts` refer to, as they are now; and the session with what had to be
 * made for them. Throws `CAS_SERVICE_REFUSED` or, where it may work later, `CAS_IMPORT_UNAVAILABLE`.
 */
export async function secretsFor(
  values: SecretValues,
  stored: StoredSession,
  service: Service,
  texts: readonly string[],
): Promise<Values & { readonly names: ReadonlySet<string> }> {
  const { session } = stored;
  const given = namesFor(session, service);
  const referred = namesIn(session, texts);
  const names = referred.size === 0 ? given : new Set([...given, ...referred]);
  try {
    return { ...(await values.of(stored, names)), names };
  } catch (cause) {
    throw cause instanceof SecretsError ? notHad(`${stored.stored.name}/${service.name}`, cause) : cause;
  }
}

function notHad(where: string, cause: SecretsError): CasError {
  return secretsFailure(cause, `service '${where}': its secrets cannot be had`, 'CAS_SERVICE_REFUSED', cause);
}

const namesByService = new WeakMap<Session, Map<string, ReadonlySet<string>>>();

/** The same set each time, as long as the session is the same. */
function namesFor(session: Session, service: Service): ReadonlySet<string> {
  const known = namesByService.get(session) ?? new Map<string, ReadonlySet<string>>();
  const found = known.get(service.name);
  if (found !== undefined) return found;
  const names = usedSecrets(session, service);
  namesByService.set(session, known.set(service.name, names));
  return names;
}

/** What references of this service to those secrets stand for. */
export function lookupIn(
  { now, measurement }: Pick<Delivery, 'now' | 'measurement'>,
  session: Session,
  secrets: Values['secrets'],
  names: ReadonlySet<string>,
  inTemplates: readonly Secret[] = [],
): Promise<Lookup> {
  return deliveryLookup(
    session,
    { version: 1, secrets },
    {
      now,
      self: { software_identity: measurement },
      // Only tokens are signed for those alone.
      names: session.secrets.some(({ kind }) => kind === 'jwt') ? neededSecrets(session, names) : names,
      inTemplates: new Set(inTemplates.map(({ name }) => name)),
    },
  );
}

/** The secrets that are keys of a session's volumes. */
const keySecrets = (session: Session): ReadonlySet<string> =>
  namesIn(
    session,
    session.volumes.map(({ fspfKey = '' }) => fspfKey),
  );

function namesIn(session: Session, texts: readonly string[]): ReadonlySet<string> {
  const found = texts.flatMap((text) => references(text));
  return new Set(found.flatMap((reference) => resolveReference(reference, session)?.secret.name ?? []));
}

const configured = ({ name, path, policy, durability, key }: GivenVolume): ConfiguredVolume => ({
  name,
  path,
  policy,
  ...(durability && { durability }),
  key: Buffer.from(key, 'hex').toString('base64'),
});
