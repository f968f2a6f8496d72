import { PolicyError } from './errors.ts';

/** The N of an argument that is exactly `@@N`. */
export function hostArgumentNumber(argument: string): number | undefined {
  const match = /^@@([0-9]{1,6})$/.exec(argument);
  return match ? Number(match[1]) : undefined;
}

/**
 * Puts the host's arguments, which the attacker chooses, in for `@@N`: `@@1` is the first. Each N at most once, each
 * must be there. Arguments of the host that no `@@N` uses are refused unless `unused` is `ignore`; ignored ones reach nobody.
 */
export function substituteHostArguments(
  command: readonly string[],
  hostArguments: readonly string[],
  options: { readonly unused?: 'refuse' | 'ignore' } = {},
): readonly string[] {
  const used = new Set<number>();
  const result = command.map((argument) => {
    const number = hostArgumentNumber(argument);
    if (number === undefined) return argument;
    if (used.has(number)) throw refusal(`each host argument at most once expected, ${argument} found twice`);
    used.add(number);
    const value = number === 0 ? undefined : hostArguments[number - 1];
    if (value === undefined) {
      throw refusal(`a host argument for ${argument} expected, ${hostArguments.length} arguments found`);
    }
    return value;
  });
  const unused = hostArguments.findIndex((_, index) => !used.has(index + 1));
  if (unused >= 0 && options.unused !== 'ignore') {
    throw refusal(
      `no host arguments but those that the policy's command takes expected, argument ${unused + 1} is taken by no @@N`,
    );
  }
  return result;
}

function refusal(message: string): PolicyError {
  return new PolicyError('POLICY_HOST_ARGUMENT', message, {
    hint: 'the policy decides the command; it takes the N-th host argument where an argument is @@N',
  });
}
