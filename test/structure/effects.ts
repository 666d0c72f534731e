/** Everything that an import must not do, to prove that the test for it sees it. */
process.stdout.write('loud\n');
process.stderr.write('louder\n');
const timer = setInterval(() => {}, 1000);
process.on('SIGUSR2', () => {});
Object.assign(globalThis, { rosterdEffect: () => clearInterval(timer) });
process.env['ROSTERD_EFFECT'] = 'yes';
