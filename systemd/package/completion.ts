import type { Help } from './help.ts';

/** Completion for bash: commands, the options of each, files where an option takes one, words where only some are taken. */
export function completion(helps: readonly Help[]): string {
  const [program, ...commands] = helps;
  if (!program) throw new Error('a completion of nothing');
  const all = helps.flatMap(({ options }) => options.map(({ term }) => term));
  const taking = (what: RegExp): string => patterns(all.filter((term) => what.test(term)));
  const words = (one: Help): string => {
    const choices = one.arguments.flatMap(({ text }) => [
      ...(/\(choices: ([^)]*)\)/.exec(text)?.[1] ?? '').matchAll(/"([^"]+)"/g),
    ]);
    return [...choices.map(([, word]) => word), ...flags(one)].join(' ');
  };
  return `# bash completion for rosterd, made from --help
_rosterd() {
  local word=\${COMP_WORDS[COMP_CWORD]} before=\${COMP_WORDS[COMP_CWORD - 1]} words
  case $before in
    ${taking(/<file>/)}) mapfile -t COMPREPLY < <(compgen -f -- "$word"); return ;;
    ${taking(/<dir>/)}) mapfile -t COMPREPLY < <(compgen -d -- "$word"); return ;;
    ${taking(/<(?!file|dir)/)}) return ;;
  esac
  if ((COMP_CWORD == 1)); then
    words='${[...commands.map(({ command }) => command), ...flags(program)].join(' ')}'
  else
    case \${COMP_WORDS[1]} in
${commands.map((one) => `      ${one.command}) words='${words(one)}' ;;`).join('\n')}
      *) return ;;
    esac
  fi
  mapfile -t COMPREPLY < <(compgen -W "$words" -- "$word")
}
complete -o filenames -F _rosterd rosterd
`;
}

const flags = ({ options }: Help): string[] =>
  options.flatMap(({ term }) => term.match(/(?<!\S)--[a-z][a-z-]*/g) ?? []);

/** The flags of options as one pattern of `case`. */
function patterns(terms: readonly string[]): string {
  const found = new Set(terms.flatMap((term) => term.match(/(?<!\S)--?[a-zA-Z][a-z-]*/g) ?? []));
  return [...found].join('|') || "''";
}
