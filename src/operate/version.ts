/** The version of this rosterd. */
export const version = '0.1.0';
