import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import type { StubRoster } from './roster.ts';

/** Body of `POST /_stub/sign-in`: SIS ids of users who sign in, as people do. Whoever may not is refused. */
const signInBody = z.strictObject({ users: z.array(z.string()) });

/** Has users sign in. A session lasts until it is ended, whatever becomes of the user meanwhile. */
export function signInRoute(server: FastifyInstance, roster: StubRoster): void {
  server.post('/_stub/sign-in', async (request, reply) => {
    const body = signInBody.safeParse(request.body);
    if (!body.success) return reply.code(400).send({ error: z.prettifyError(body.error) });
    const refused = body.data.users.filter((id) => roster.users.get(id)?.status !== 'active');
    if (refused.length) return reply.code(401).send({ error: `may not sign in: ${refused.join(', ')}` });
    for (const id of body.data.users) roster.signedIn.add(id);
    return { signed_in: [...roster.signedIn] };
  });
}

/** `DELETE …/users/sis_user_id:ID/sessions` (canvas-lms `users_controller.rb`, `terminate_sessions`): the bare word ok. */
export function sessionRoute(api: FastifyInstance, roster: StubRoster): void {
  api.delete<{ Params: { user: string } }>('/api/v1/users/:user/sessions', async ({ params }, reply) => {
    const id = /^sis_user_id:(.*)$/.exec(params.user)?.[1];
    const user = id === undefined ? undefined : roster.users.get(id);
    // a login that is deleted is not found by its SIS id
    if (!user || user.status === 'deleted')
      return reply.code(404).send({ errors: [{ message: 'The specified resource does not exist.' }] });
    roster.signedIn.delete(user.user_id);
    return reply.type('application/json; charset=utf-8').send('ok');
  });
}
