-- The remote URL of a program: an endpoint that the configuration keeps. It is told of the program's users and of what is the
-- partner's as a whole.
ALTER TABLE webhook_endpoints ADD COLUMN program TEXT; -- whose remote URL it is; none: the partner made it
CREATE UNIQUE INDEX webhook_endpoints_by_program ON webhook_endpoints (program)
    WHERE program IS NOT NULL AND state <> 'DELETED';

-- Of an event about no user, if it is one program's all the same. Of one about a user it is the user's.
ALTER TABLE events ADD COLUMN program TEXT;
