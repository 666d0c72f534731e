import { Misconfigured } from '../base/errors.ts';
import type { Config, SourceConfig } from '../configure/config.ts';
import { hint } from '../configure/nearest.ts';

/**
 * Which sources a run on demand is about: the named ones in the order of the file, else all that are enabled. A name
 * that does not exist, or is of a disabled source, is refused before anything runs: half of what was asked for is not
 * what was asked for.
 */
export function selectSources(config: Config, names: readonly string[]): SourceConfig[] {
  if (!names.length) return config.sources.filter((source) => source.enabled);
  for (const name of names) {
    const source = config.sources.find((one) => one.name === name);
    if (!source) {
      const known = config.sources.map((one) => one.name);
      throw new Misconfigured(`there is no source ${name} in ${config.file}`, {
        remedy: hint(name, known, 'sources') ?? undefined,
      });
    }
    if (!source.enabled)
      throw new Misconfigured(`the source ${name} is disabled`, {
        remedy: `set sources.${name}.enabled: true in ${config.file}`,
      });
  }
  return config.sources.filter((source) => names.includes(source.name));
}
