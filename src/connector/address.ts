/**
 * An address in the one form of all ways to write it: the host in small letters, no port that goes without saying, no slash
 * at the end. Without login, query and fragment: they say nothing of which platform it is, and may be secret.
 */
export function plainAddress(url: string): string {
  const { protocol, host, pathname } = new URL(url);
  return `${protocol}//${host}${pathname.replace(/\/+$/, '')}`;
}
