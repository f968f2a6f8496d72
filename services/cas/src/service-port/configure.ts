import { EnsconceError } from '@ensconce/base/errors';
import { imageOf, type Image, type Service } from '@ensconce/policy/session';
import { substituteCommand, substituteSecrets, substituteSecretsBytes } from '@ensconce/policy/substitution';
import { unsupportedBy, type Supported } from '@ensconce/policy/unsupported';
import { deliveryLookup } from '@ensconce/secrets/delivery';
import type { Lookup } from '@ensconce/policy/substitution';
import type { ImageDescription } from '@ensconce/measurement/image';
import type { Configuration, ConfiguredVolume } from '@ensconce/wire/configuration';
import { CasError } from '../errors.ts';
import { givenVolumes, type GivenVolume, type VolumeContext } from '../volumes/given-volumes.ts';
import type { Imported } from '../sessions/imports.ts';
import type { StoredSession } from '../sessions/session-record.ts';
import { defaultCapabilities } from './default-capabilities.ts';

/** All that is known of an attested service. */
export interface Delivery {
  readonly stored: StoredSession;
  readonly service: Service;
  /** What was measured. */
  readonly description: ImageDescription;
  /** The image measurement, hex; `software_identity` in tokens. */
  readonly measurement: string;
  readonly imported: Imported;
  readonly now: Date;
  readonly volumes: Pick<VolumeContext, 'tags' | 'find'>;
}

/** What leaves, and which volumes the service may ask about afterwards. */
export interface Delivered {
  readonly configuration: Configuration;
  readonly volumes: readonly GivenVolume[];
}

const supported: Supported = {
  secretKinds: new Set(['ascii', 'binary', 'private-key', 'public-key', 'x509', 'x509-ca', 'pgp-key', 'jwt']),
  imports: true,
};

/** What an attested service is given: the session's entry for it, secrets put in. */
export async function configure(delivery: Delivery): Promise<Delivered> {
  const { stored, service, description } = delivery;
  const { session } = stored;
  const where = `${session.name}/${service.name}`;
  const [reason] = unsupportedBy(session, service.name, supported);
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
    const secretsOf = (of: StoredSession, imported: Imported): Promise<Lookup> =>
      deliveryLookup(of.session, of.secrets, {
        now: delivery.now,
        self: { software_identity: delivery.measurement },
        imported,
      });
    const lookup = await secretsOf(stored, delivery.imported);
    const volumes = await givenVolumes(
      {
        ...delivery.volumes,
        lookup: (of) => (of === stored ? Promise.resolve(lookup) : secretsOf(of, {})),
      },
      stored,
      image.volumes,
    );
    const configuration = {
      session: session.name,
      sessionHash: stored.stored.hash,
      service: service.name,
      command: [...substituteCommand(service.command, lookup)],
      environment: Object.fromEntries(
        Object.entries(service.environment).map(([name, value]) => [name, substituteSecrets(value, lookup)]),
      ),
      hostEnvironment: [...service.hostEnvironment],
      pwd: service.pwd ?? '/',
      user: service.user ?? '',
      capabilities: [...(service.capabilities ?? defaultCapabilities)],
      layers: layersOf(image, description, lookup, where),
      injectionFiles: injectionFilesOf(image, lookup, where),
      hostFiles: [...service.hostFiles],
      ...(volumes.length > 0 && { volumes: volumes.map(configured) }),
    };
    return { configuration, volumes };
  } catch (cause) {
    if (cause instanceof CasError || !(cause instanceof EnsconceError)) throw cause;
    throw new CasError('CAS_SERVICE_UNSUPPORTED', `service '${where}': its configuration cannot be made`, {
      cause,
    });
  }
}

const configured = ({ name, path, policy, durability, key }: GivenVolume): ConfiguredVolume => ({
  name,
  path,
  policy,
  ...(durability && { durability }),
  key: Buffer.from(key, 'hex').toString('base64'),
});

function layersOf(
  image: Image,
  description: ImageDescription,
  lookup: Lookup,
  where: string,
): Configuration['layers'] {
  const measured = description.layers;
  const listed = image.layers.map((layer) => layer.root);
  if (listed.length !== measured.length || listed.some((root, i) => root !== measured[i])) {
    throw new CasError(
      'CAS_SERVICE_REFUSED',
      `service '${where}': the ${measured.length} sealed layers that were measured expected in image '${image.name}', ` +
        `${listed.length} others or in another order found`,
      {
        hint: 'the session is of another build of the image: update it with the one that ensconce image wrote',
      },
    );
  }
  return image.layers.map((layer) => ({
    root: layer.root,
    key: Buffer.from(substituteSecrets(layer.key, lookup), 'hex').toString('base64'),
  }));
}

function injectionFilesOf(image: Image, lookup: Lookup, where: string): Configuration['injectionFiles'] {
  return image.injectionFiles.map((file) => {
    if (file.content === undefined) {
      throw new CasError(
        'CAS_SERVICE_UNSUPPORTED',
        `service '${where}': content expected for injection file ${file.path}, none found`,
        { hint: 'templates on the image itself are not supported yet: put the text into the session' },
      );
    }
    const content = Buffer.from(substituteSecretsBytes(file.content, lookup)).toString('base64');
    return { path: file.path, content, mode: file.mode };
  });
}
