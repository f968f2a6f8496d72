import type { Image, Secret, Service } from '@ensconce/policy/session';
import {
  substituteCommand,
  substituteSecrets,
  substituteSecretsBytes,
  type Lookup,
} from '@ensconce/policy/substitution';
import type { StoredSecret } from '@ensconce/secrets/stored';
import { templateValues } from '@ensconce/secrets/template-values';
import type { Configuration } from '@ensconce/wire/configuration';
import type { StoredSession } from '../sessions/session-record.ts';
import { defaultCapabilities } from './default-capabilities.ts';

/** What a configuration is made of. */
export interface Ingredients {
  readonly stored: StoredSession;
  readonly service: Service;
  readonly image: Image;
  readonly secrets: Readonly<Record<string, StoredSecret>>;
  readonly lookup: Lookup;
  /** What templates of the image may hold. */
  readonly inTemplates: readonly Secret[];
}

/** The session's entry for a service, secrets put in; without its volumes. Throws where a reference stands for nothing that fits. */
export function renderConfiguration(of: Ingredients): Configuration {
  const { stored, service, image, lookup } = of;
  return {
    session: stored.session.name,
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
    layers: image.layers.map((layer) => ({
      root: layer.root,
      key: Buffer.from(substituteSecrets(layer.key, lookup), 'hex').toString('base64'),
    })),
    injectionFiles: injectionFilesOf(image, lookup),
    ...valuesForTemplates(of),
    hostFiles: [...service.hostFiles],
  };
}

function injectionFilesOf(image: Image, lookup: Lookup): Configuration['injectionFiles'] {
  return image.injectionFiles.map(({ path, content, mode }) => {
    if (content === undefined) return { path, mode };
    return { path, content: Buffer.from(substituteSecretsBytes(content, lookup)).toString('base64'), mode };
  });
}

/** What the templates of the image may hold; the runtime puts it in, for they are sealed to CAS too. */
function valuesForTemplates({
  stored,
  inTemplates,
  secrets,
  lookup,
}: Ingredients): Pick<Configuration, 'templateValues'> {
  if (inTemplates.length === 0) return {};
  const values = Object.entries(templateValues(stored.session, inTemplates, secrets, lookup));
  return {
    templateValues: Object.fromEntries(
      values.map(([key, value]) => [key, Buffer.from(value).toString('base64')]),
    ),
  };
}
