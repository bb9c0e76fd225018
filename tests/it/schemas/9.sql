-- Rows of the ninth schema: one of everything, with each column set to what is not its default.
INSERT INTO boundary VALUES ('small', 5, 200, 1, 'outbound');
INSERT INTO ip_filter VALUES ('home', '192.168.1.0/24', 2);
INSERT INTO role VALUES ('SALES', 'Sells', 0, '/r/script/list /r/script/execute', 3);
INSERT INTO policy VALUES ('server-name', 'Ours', 4);
INSERT INTO account (name, display_name, password_hash, enabled, created, changed, locked, password_expired, boundary, failures, failed_at, source, subject) VALUES
    ('ada', 'Ada', '', 1, 1000, 1001, 1, 1, 'small', 3, 1002, 'corp', 'Ada');
INSERT INTO account_role VALUES ('ada', 'SALES'), ('ada', 'BASIC_USER');
INSERT INTO script VALUES ('00000000-0000-4000-8000-000000000001', 'mean', 'restricted', 'small', 2, 2001);
INSERT INTO script_version VALUES
    ('00000000-0000-4000-8000-000000000001', 1, 'x', 'First', '[]', '[]', 'ada', 2000),
    ('00000000-0000-4000-8000-000000000001', 2, 'mean(x)', 'Second',
        '[{"name":"x","type":"vector","description":"numbers"}]', '[{"name":"m","type":"numeric","description":""}]', 'ada', 2001);
INSERT INTO script_role VALUES ('00000000-0000-4000-8000-000000000001', 'SALES');
INSERT INTO object VALUES
    ('00000000-0000-4000-8000-000000000002', 'data', 'object', 'restricted', NULL, NULL, 'aa', 10, 3000, 'Numbers'),
    ('00000000-0000-4000-8000-000000000003', 'mine.csv', 'file', 'private', 'ada', '00000000-0000-4000-8000-000000000004', 'bb', 20, 3001, 'What she has');
INSERT INTO object_role VALUES ('00000000-0000-4000-8000-000000000002', 'SALES');
INSERT INTO image VALUES
    ('ee', 'cc', 30, '{"packages":["lattice"],"folder":"sub"}', 81),
    ('ff', 'cc', 30, '{"packages":[],"folder":""}', 30);
INSERT INTO image_file VALUES
    ('ee', 'library', 'tiny/libs/tiny.so', 'dd', 11, 1),
    ('ee', 'work', 'sub/plot.png', 'dd', 40, 0);
INSERT INTO project VALUES ('00000000-0000-4000-8000-000000000005', 'ada', 'hers', 'ee',
    '{"history":["x <- 1"],"output":"printed"}', 4000, 4001);
INSERT INTO project_published VALUES ('00000000-0000-4000-8000-000000000005', 'sub/plot.png');
INSERT INTO snapshot VALUES ('00000000-0000-4000-8000-00000000000a', 'ada', 'once', 'ff', 4002);
INSERT INTO suspended VALUES ('00000000-0000-4000-8000-000000000006', 'ada', '00000000-0000-4000-8000-000000000005');
INSERT INTO token_pair VALUES
    ('00000000-0000-4000-8000-000000000007', '00000000-0000-4000-8000-000000000008', 'ada', x'aa', 9000000000000000, 9000000000000001, 9000000000000002, 5000);
INSERT INTO personal_token VALUES ('00000000-0000-4000-8000-000000000009', 'ada', 'nightly', x'bb', 'BASIC_USER SALES', 5001, 9000000000000003, 5002);
INSERT INTO service VALUES ('transmission', 'ada');
INSERT INTO service_version VALUES (1, 'transmission', 'v1', 'ada', 0, 'answer <- hp', 'model <- 1', 'What it does', 'predict',
    '[{"name":"hp","type":"numeric"}]', '[{"name":"answer","type":"data.frame"}]', '["plot.png"]', '00000000-0000-4000-8000-00000000000a', 'ff',
    6000, 6001);
INSERT INTO batch VALUES
    ('00000000-0000-4000-8000-00000000000b', 'ada', 'twice', 'v1',
        '{"code":"y <- 2 * x","init_code":"library(stats)","description":"Twice as much","operation":"double","inputs":[{"name":"x","type":"numeric"}],"outputs":[{"name":"y","type":"data.frame"}],"files":["log.txt"],"snapshot":"00000000-0000-4000-8000-00000000000a"}',
        'ff', 3, 2, 'running', '', 31, 7000, NULL),
    ('00000000-0000-4000-8000-00000000000c', 'ada', 'gone', 'v2', '{"code":"1"}', NULL, 10, 1, 'failed', 'The account is locked.', 0, 7001, 7002);
INSERT INTO batch_item VALUES
    ('00000000-0000-4000-8000-00000000000b', 0, 1, '', CAST('{"success":true}' AS BLOB)),
    ('00000000-0000-4000-8000-00000000000b', 1, NULL, '{"x":1}', NULL),
    ('00000000-0000-4000-8000-00000000000c', 0, NULL, '{}', NULL);
INSERT INTO batch_file VALUES ('00000000-0000-4000-8000-00000000000b', 0, 'sub/a.txt', 'gg', 8);
INSERT INTO left_workspace VALUES ('ada', 'hh', 50, 8000);
