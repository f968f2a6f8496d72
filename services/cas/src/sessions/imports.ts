import type { Party } from '@ensconce/secrets/export';
import { resolveImports } from '@ensconce/secrets/imports';
import type { Sessions } from './sessions.ts';

/** Values of imported secrets by name. */
export type Imported = Awaited<ReturnType<typeof resolveImports>>;

/** What a session imports from other sessions of this CAS, as they are now. Throws `SecretsError` for what is not exported to it. */
export function importedSecrets(sessions: Sessions, importer: Party): Promise<Imported> {
  return resolveImports(importer, (name) => {
    const found = sessions.find(name);
    return Promise.resolve(
      found === undefined
        ? undefined
        : { session: found.session, hash: found.stored.hash, state: found.secrets },
    );
  });
}
