/** Looked at; an attacker chooses how many there are. */
const mostCandidates = 256;

/**
 * The candidate that was probably meant: at most a third of the letters differ (transpositions count once). Costs at
 * most about a million steps; {@link Findings} bounds how often it is asked.
 */
export function suggest(found: string, candidates: Iterable<string>): string | undefined {
  const wanted = normal(found);
  if (wanted.length === 0 || wanted.length > 64) return undefined;
  let best: string | undefined;
  let bestDistance = Math.max(1, Math.floor(wanted.length / 3)) + 1;
  let left = mostCandidates;
  for (const candidate of candidates) {
    if (left-- === 0) break;
    const distance = normal(candidate) === wanted ? 0 : editDistance(wanted, normal(candidate), bestDistance);
    if (distance < bestDistance) {
      best = candidate;
      bestDistance = distance;
    }
  }
  return best;
}

function normal(text: string): string {
  return text.toLowerCase().replaceAll('-', '_');
}

/** Optimal string alignment distance, or `bound` where it is at least that. */
function editDistance(a: string, b: string, bound: number): number {
  if (Math.abs(a.length - b.length) >= bound || b.length > 64) return bound;
  let beforeLast: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const change = (last[j - 1] as number) + (a[i - 1] === b[j - 1] ? 0 : 1);
      let cost = Math.min((last[j] as number) + 1, (row[j - 1] as number) + 1, change);
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) {
        cost = Math.min(cost, (beforeLast[j - 2] as number) + 1);
      }
      row.push(cost);
    }
    if (Math.min(...row) >= bound) return bound;
    beforeLast = last;
    last = row;
  }
  return Math.min(bound, last[b.length] as number);
}
