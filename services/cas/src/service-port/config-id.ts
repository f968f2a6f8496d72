import { CasError } from '../errors.ts';

/** What a service asks for: `session/service` or `session/service@OTP`, the last slash divides. */
export interface ConfigId {
  readonly session: string;
  readonly service: string;
  readonly oneTimePassword: string | undefined;
}

const pattern =
  /^((?:[A-Za-z0-9_.~-]{1,512}\/)*[A-Za-z0-9_.~-]{1,512})\/([A-Za-z0-9_.~-]{1,512})(?:@([0-9]{6}))?$/;

/** Reads a config id; it comes from the host. */
export function parseConfigId(text: string): ConfigId {
  const match = text.length <= 2048 ? pattern.exec(text) : null;
  if (match === null) {
    throw new CasError(
      'CAS_PROTOCOL',
      `config id: session/service expected, ${JSON.stringify(text.slice(0, 80))} found`,
      { hint: 'set SCONE_CONFIG_ID to the name of the session, a slash, and the name of the service' },
    );
  }
  return { session: match[1] as string, service: match[2] as string, oneTimePassword: match[3] };
}

/** `session/service`: what the service is called, without a one-time password. */
export const nameOf = ({ session, service }: Pick<ConfigId, 'session' | 'service'>): string =>
  `${session}/${service}`;
