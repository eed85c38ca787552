// SPDX-License-Identifier: MIT
/*
 * What the files of front share: the parser and its events, a command's descriptor, the session.
 *
 * Three parts with one direction: the parser makes events of bytes and knows nothing else; the
 * session makes calls of events; a command's functions read its arguments (parse_) and carry it out
 * (do_).
 */
#ifndef FRONT_FRONT_PRIV_H
#define FRONT_FRONT_PRIV_H

#include "base/counter.h"
#include "base/magic.h"
#include "front/front.h"

/* ---- scan.c: arguments, by beanstalkd's rules ---- */

/* What is left of a line. */
struct scan {
    const char *at, *end;
};

/* Blanks, then a decimal number without sign. EINVAL: none, or too large. */
int scan_u64(struct scan *scan, uint64_t *number);
int scan_u32(struct scan *scan, uint32_t *number);
/* The rest of the line, all of it: a tube's name. EINVAL. */
int scan_tube(struct scan *scan, const char **name, size_t *len);
/* A tube's name up to the next blank or the end; no blanks before it. EINVAL. */
int scan_tube_word(struct scan *scan, const char **name, size_t *len);
/* The seconds of a wait: at most INT_MAX, as in beanstalkd. EINVAL. */
int scan_timeout(struct scan *scan, uint32_t *seconds);
/* Blanks, then a word of a-z 0-9 _ -. EINVAL. */
int scan_word(struct scan *scan, const char **word, size_t *len);
/*
 * As beanstalkd reads the number of `kick`: with C's strtoul, cut to 32 bits. White space, a sign,
 * and anything behind it; -1 is the largest there is. EINVAL: no number, or none of 64 bits.
 */
int scan_lax_u32(struct scan *scan, uint32_t *number);
/* Whatever is left, where it doesn't matter. EINVAL: it has a byte that no line may have. */
int scan_rest(struct scan *scan);
static inline bool scan_ended(const struct scan *scan)
{
    return scan->at == scan->end;
}

/* ---- a command ---- */

struct session;

enum command_id {
#define COMMAND(id, name, word, whose, right, scope) COMMAND_##id,
#include "front/commands.def"
#undef COMMAND
    COMMAND_COUNT
};

struct command_args {
    enum command_id command;
    uint64_t id, token;
    uint32_t pri, delay, ttr; /* seconds */
    uint32_t bytes;           /* of the body that follows */
    uint32_t count;           /* of jobs */
    uint32_t timeout;         /* seconds */
    bool junk;                /* something stands behind the last argument, which may not */
    bool has_body;            /* `bytes` of a job's body follow, whatever becomes of the command */
    const char *name;         /* tube or method, in the line; copied by who needs it later */
    size_t name_len;
};

/* Reads a line's arguments; every byte of them was looked at when it answers 0. EINVAL. */
typedef int command_parse(struct scan *scan, struct command_args *args);
/*
 * Carries it out. A command with a body is run twice: when its line is there, to say where the body
 * goes (session_body), and, by session_body's function, when the body is.
 */
typedef void command_run(struct session *session, const struct command_args *args);

enum command_origin { ORIGIN_BEANSTALKD, ORIGIN_HILERA };

/* In which tube the right of a row is needed; commands.def says what each means. */
enum command_scope {
    SCOPE_NONE,
    SCOPE_USED,
    SCOPE_NAMED,
    SCOPE_ANY_OF_NAMED,
    SCOPE_WATCHED,
    SCOPE_JOB,
    SCOPE_JOB_TO,
    SCOPE_ITS_OWN,
    SCOPE_SEEN
};

struct command {
    const char *name;
    const char *word;
    size_t word_len;
    enum command_origin origin;
    trust_rights right;
    enum command_scope scope;
    command_parse *parse;
    command_run *run;
};

extern const struct command commands[COMMAND_COUNT];

#define COMMAND(id, name, word, whose, right, scope)                                               \
    command_parse parse_##id;                                                                      \
    command_run do_##id;
#include "front/commands.def"
#undef COMMAND

/* Several commands have an id and nothing else, a tube's name, or no arguments. */
command_parse parse_id;
command_parse parse_name;
command_parse parse_nothing;

/* ---- stranger.c: signs of another protocol, before the first good command ---- */

/* So many bad lines are one too many. */
#define STRANGER_ERRORS 16
/* What every HTTP request has in its first line, in whatever case. */
#define STRANGER_PATTERN " HTTP/"
#define STRANGER_MATCHED (sizeof(STRANGER_PATTERN) - 1)

/* How much of the pattern stands at the end of what was seen (at first 0), or STRANGER_MATCHED if
 * all of it was there. */
unsigned stranger_match(unsigned state, const char *bytes, size_t len);
/* Is there a control byte in it, beside TAB, CR and LF? No command has one. */
bool stranger_bytes(const char *bytes, size_t len);
/* A line that is no good command: is it one of HTTP, or of DICT? */
bool stranger_line(const char *line, size_t len);
/* A line whose end need not have come: does it begin with a TLS hello, has it control bytes,
 * or is there, ended by LF alone, a line of HTTP in it? */
bool stranger_begins(const char *data, size_t len);

/* ---- parser.c ---- */

enum parser_event {
    PARSER_MORE,       /* needs more input */
    PARSER_COMMAND,    /* *parser->args is it */
    PARSER_BAD_FORMAT, /* a line that can't be a command, or has bad arguments */
    PARSER_UNKNOWN,    /* no such command */
    PARSER_STRANGER,   /* it speaks another protocol: no more of it */
    PARSER_BODY,       /* the body of parser_body is there, and its line end; or a part is */
    PARSER_BODY_BAD    /* it is there, but no line end behind it */
};

struct parser {
    enum { PARSE_LINE, PARSE_SKIP_LINE, PARSE_BODY, PARSE_TRAILER } state;
    uint32_t line_max;  /* bytes of a line with CR LF; 0: FRONT_LINE_MAX */
    bool skip_cr;       /* PARSE_SKIP_LINE: the last byte was a CR */
    bool known;         /* there was a good command: it is no stranger */
    uint8_t errors;     /* bad lines before that */
    uint8_t skip_match; /* PARSE_SKIP_LINE: stranger_match's state */
    bool part;          /* PARSE_BODY: more comes right behind it, no line end */
    bool discard;       /* PARSE_BODY: nobody wants it; the line end is part of it, unchecked */
    char *body;         /* where its next byte goes */
    uint64_t left;      /* bytes of it that are missing */
    /* The caller's, written by each parser_next that answers PARSER_COMMAND: a session needs it no
     * longer than for the call. */
    struct command_args *args;
};

/*
 * The next event in `data`, and how many bytes it used up: all bytes before the event's end. After
 * PARSER_MORE what wasn't used must come again, with more behind it: it is less than a line, or the
 * first byte of a line end. args->name points into `data`.
 */
enum parser_event parser_next(struct parser *parser, const char *data, size_t len, size_t *used);
/* After PARSER_COMMAND: `len` bytes of body follow, for `body`; NULL: they are skipped. */
void parser_body(struct parser *parser, char *body, size_t len);
/* After PARSER_COMMAND: the same, but PARSER_BODY comes at once when these bytes are there, and the
 * body proper is behind them. */
void parser_part(struct parser *parser, char *bytes, size_t len);
/* The rest of the body was received behind the parser's back (conn_receive). */
void parser_body_received(struct parser *parser);
static inline bool parser_at_line(const struct parser *parser)
{
    return parser->state == PARSE_LINE;
}

/* ---- session.c ---- */

#define SESSION_MAGIC 0x5e551003u

struct pending_call;
struct pending_submit;
struct pending_reserve;
struct pending;
struct batch;
struct batch_rest;
struct task;

/* The body's bytes in memory for `size` of them, those that there are kept; NULL: no memory, they
 * are where they were. */
typedef char *incoming_grow(struct session *session, size_t size);

/* A body that comes in parts (incoming.c). */
struct incoming {
    size_t len;  /* 0: none */
    size_t have; /* bytes of it that there is memory for */
    incoming_grow *grow;
    void (*done)(struct session *session);
};

struct session {
    unsigned magic;
    struct front *front;
    struct conn *conn;
    struct parser parser;
    struct tube *used;
    struct broker_client client;     /* what it watches, and the jobs it has reserved */
    struct pending_reserve *reserve; /* kept for its next wait; NULL: none was needed yet */
    struct pending *pending;         /* what it waits for; NULL: nothing */
    struct task *task;               /* what it does in several turns, NULL: nothing */
    struct batch *batch;             /* during session_input */
    struct batch_rest *rest;         /* what stood behind an operation that waits; NULL: nothing */
    struct ticket told;              /* to be reached before the answers of this turn go out */
    size_t behind;                   /* bytes of the input behind the event that is handled */
    /* while a body comes: */
    void (*body_done)(struct session *session);
    struct incoming incoming;
    struct job_body *body; /* of a put */
    struct broker_put_spec put;
    bool put_elsewhere;            /* put.tube is this put's own hold */
    struct pending_submit *submit; /* of a submit, while head and body come */
    struct pending_call *call;     /* of a call, until its answer is waited for */
    struct trust_view view;        /* what its peer may; whose, is known before the first command */
    trust_rights everywhere;       /* of these, what it may in every tube */
    trust_rights in_used;          /* and in the used one */
    const char *refusal;           /* the reply to a command whose body is skipped */
};

/* The body that follows goes to `memory`, then `done` is called. */
void session_body(struct session *session, void *memory, size_t len,
                  void (*done)(struct session *session));
/* The same for bytes with no line end behind them, but the body. */
void session_part(struct session *session, void *memory, size_t len,
                  void (*done)(struct session *session));
/* The body that follows is skipped with its line end, then `done` is called. */
void session_skip_body(struct session *session, size_t len, void (*done)(struct session *session));
/* The body that follows is skipped, then answered with `reply` (static, with CR LF). */
void session_refuse_body(struct session *session, size_t len, const char *reply);

/* The body of a put or a call won't come whole: what waits for it is dropped. */
void session_abandon_body(struct session *session);

/* ---- incoming.c: bodies that come ---- */

/* How many bytes of memory a body of that size begins with. */
size_t incoming_first(const struct session *session, size_t len);
/* The body that follows has `len` bytes. The first of them, `have` as incoming_first has said, go
 * to `bytes`; when it is whole `done` is called. */
void incoming_begin(struct session *session, char *bytes, size_t have, size_t len,
                    incoming_grow *grow, void (*done)(struct session *session));

/* ---- peer.c: who is on the other side ---- */

struct peers;

/* ENOMEM. */
int peers_new(struct peers **out, const struct trust *trust, unsigned loops);
/* EAGAIN: no more threads. Takes NULL. */
int peers_start(struct peers *peers);
void peers_free(struct peers **peers);
/* At the end of a session's open: sees to session->view. It may pause the connection until that is
 * known; a peer that may nothing is answered, and closed. */
void peer_open(struct session *session);

/* ---- rights.c: what the peer may ---- */

/* Once, when session->view is known, before the first command. */
void rights_begin(struct session *session);
/* Another tube is used now. */
void rights_use(struct session *session);
/* Whether that command may be run; if not, it is answered. */
bool rights_ask(struct session *session, const struct command_args *args);
/* The same: who may that everywhere, as the daemon's own user may, isn't asked where. */
static inline bool rights_admit(struct session *session, const struct command_args *args)
{
    trust_rights need = commands[args->command].right;
    return (session->everywhere & need) == need || rights_ask(session, args);
}
/* Whether the peer may all of `need` in that tube, as for one that it names. */
bool rights_in(const struct session *session, const char *tube, size_t len, trust_rights need);
/* Whether jobs of that tube are commands: what is let in is marked (job_options, authorised). */
bool rights_guarded(const struct session *session, const struct tube *tube);
/* It was refused that: the log, and the counters. */
void rights_denied(struct session *session, trust_rights need, const char *tube, size_t len);

/* ---- gate.c: answers that wait for the journal ---- */

/* An answer of this turn has to wait for that. */
static inline void session_tells(struct session *session, const struct ticket *ticket)
{
    ticket_add(&session->told, ticket);
}
/* At the end of a turn: for all that it tells of, and what its client has reserved. */
void session_hold(struct session *session);
/* For what was answered out of turn. */
void session_hold_until(struct session *session, const struct ticket *ticket);

/* ---- batch.c and op.c: commands that are one operation of the broker ---- */

/* Answers, once; `op` is released behind it. rc: what broker_run says. */
typedef void op_answer(struct session *session, struct broker_op *op, int rc);

#define BATCH_MAX BROKER_RUN_MAX

/* One of a batch. */
struct batched {
    const char *said; /* not NULL: no operation, but this answer, with CR LF */
    op_answer *answer;
    struct tube *hold; /* a hold on its tube that ends with it; or NULL */
    struct broker_op op;
};

/* Of one call of session_input; never full. */
struct batch {
    unsigned count;
    struct batched entry[BATCH_MAX];
};

/* The operation of a command, in the session's batch: for the job and the token of the arguments;
 * what else it needs is the caller's to fill in, before one of the next two. */
struct broker_op *op_begin(struct session *session, enum broker_verb verb,
                           const struct command_args *args);
/* The same, not initialized. */
struct broker_op *op_next(struct session *session);
/* It is carried out with its batch, at the latest at the end of the input. The hold is the batch's.
 */
void op_add(struct session *session, op_answer *answer, struct tube *hold);
/* It is carried out now; for what isn't collected. */
void op_run(struct session *session, op_answer *answer);
/* It had to stand: the connection is paused until it has its answer, unless that is there already.
 * It is taken over, and so is *hold. */
void op_wait(struct session *session, struct broker_op *op, op_answer *answer, struct tube **hold);

/* Before a command: whether it may be carried out now, or added. false: what stands before it has
 * to wait, and so has this. */
bool batch_joins(struct session *session, const struct command_args *args);
static inline bool batch_admits(struct session *session, const struct command_args *args)
{
    return session->batch->count == 0 || batch_joins(session, args);
}
/* Carries out and answers what was collected. false: it has to wait. */
bool batch_run(struct session *session);
static inline bool batch_flush(struct session *session)
{
    return session->batch->count == 0 ? session->pending == NULL : batch_run(session);
}
/* Its puts have their ids. */
void batch_number(struct session *session);
/* After a wait: what stood behind it. */
void batch_go_on(struct session *session);
/* The session ends. */
void batch_abandon(struct session *session);
/* Answers with that (static, with CR LF), in its place. */
void session_say(struct session *session, const char *text);

/* ---- answers ---- */

/* What refusals are called that any command can have: EIO INTERNAL_ERROR, EACCES NOT_ALLOWED, those
 * for want of room OUT_OF_MEMORY; others as said. With CR LF. */
void reply_refusal(struct session *session, int rc, const char *otherwise);

#define reply_word(session, word) conn_write((session)->conn, (word), sizeof(word) - 1)
/* "WORD number\r\n" */
void reply_number(struct session *session, const char *word, uint64_t number);
/* "WORD done failed deleted\r\n" */
void reply_totals(struct session *session, const char *word, const struct broker_totals *totals);
/* "WORD name\r\n"; a tube's name */
void reply_name(struct session *session, const char *word, const char *name, size_t len);
/* "FOUND id bytes\r\n" body "\r\n"; takes the reference over. */
void reply_job(struct session *session, const char *word, uint64_t id, struct job_body **body);
/* "WORD id token bytes\r\n" body "\r\n"; takes the lease's reference over. */
void reply_lease(struct session *session, const char *word, struct broker_lease *lease);
/* "WORD bytes\r\n" text "\r\n"; takes the text over and leaves it empty. */
void reply_text(struct session *session, const char *word, struct buf *text);
/* "OK bytes\r\n" text "\r\n", or OUT_OF_MEMORY where rc says that the text isn't complete. */
void reply_yaml(struct session *session, int rc, struct buf *yaml);

/* ---- reserving: cmd_reserve.c and the families that reserve in other forms ---- */

#define FRONT_BATCH_MAX 1000 /* jobs of one reserve-batch */

enum reserve_form { RESERVE_PLAIN, RESERVE_TOKEN, RESERVE_BATCH };

/* Answers now, or pauses the connection until it can. `most`: jobs of a RESERVE_BATCH, 1 and up. */
void reserve_start(struct session *session, int64_t timeout_ns, enum reserve_form form,
                   uint32_t most);
/* The word for a reserve that got nothing. */
void reserve_refuse(struct session *session, int rc);
/* Answers with that job and up to `most` - 1 more that are ready now. */
void batch_reply(struct session *session, uint32_t most, struct broker_lease *first);
/* Reserves again what was asked for, when the jobs that were got turned out to be damaged. */
void reserve_restart(struct session *session);
/* What it kept for its next wait. */
void reserve_free(struct session *session);

/* ---- bodies.c: answers with bodies, which may have to be read back first ---- */

enum bodies_form { BODIES_PLAIN, BODIES_TOKEN, BODIES_BATCH, BODIES_JOB, BODIES_JOB_TOKEN };

/*
 * Answers with these leases, of which there is one unless it is a batch, now or, if bodies are in
 * the journal only, later; takes them over, but not the array's memory. A job whose body is damaged
 * is buried; if none is left, JOB forms answer NOT_FOUND, others reserve again.
 */
void bodies_reply(struct session *session, enum bodies_form form, struct broker_lease *leases,
                  size_t count);
/* "FOUND ..." for a job that a peek found without its body; NOT_FOUND if it is gone meanwhile,
 * INTERNAL_ERROR if it can't be read. */
void bodies_reply_peek(struct session *session, uint64_t id);

/* ---- pending.c: answers that come later ---- */

/*
 * What a session waits for: the first part of what a command needs that waits, in memory of its
 * own, beyond the session's end. All run on the loop's thread but pending_fire.
 */
struct pending {
    struct later *later; /* its fire calls pending_fire, or only posts the message */
    struct loop_message message;
    /* Takes the memory back and answers. `why`: 0 it has fired; ETIMEDOUT the time is over;
     * ECANCELED the other side sends no more. It may wait again, for the same or for more. */
    void (*answer)(struct session *session, struct pending *pending, int why);
    /* Whether it isn't ended by that `why`. NULL: it is. */
    bool (*endures)(struct pending *pending, int why);
    /* Takes the memory back, without a session. */
    void (*release)(struct pending *pending);
};

/* Before anything that can make it fire; then one of the two below. */
void pending_begin(struct session *session, struct pending *pending);
/* It waits, until then at most (clock_now_ns time). The memory is pending.c's. */
void pending_wait(struct session *session, struct pending *pending, int64_t deadline_ns);
/* It needn't wait, and won't fire. */
void pending_drop(struct pending *pending);
/* Once, from any thread. */
void pending_fire(struct pending *pending);

/* The wait is over for that reason, unless what is waited for is about to come, or nothing is. */
void pending_end(struct session *session, int why);
/* The session ends. */
void pending_abandon(struct session *session);

/* ---- task.c: commands that take several turns ---- */

struct task_kind {
    /* Does a part, which should take as long as the turn (conn_has_turn). true: there is more.
     * false: that was all, and it is answered. */
    bool (*step)(struct session *session, struct task *task);
    void (*release)(struct task *task);
};

/* The beginning of what such a command needs. */
struct task {
    const struct task_kind *kind;
};

/* Takes the task over, and does its first part. */
void task_start(struct session *session, struct task *task);
void task_go_on(struct session *session);
void task_abandon(struct session *session);

/* ---- walk.c ---- */

/* "WORD done\r\n", now or later; takes over the walk, which has just begun. `word` is static. */
void walk_start(struct session *session, struct broker_bulk *walk, const char *word);

/* ---- a session that ends: put, call ---- */

/* A put whose body hasn't come whole takes its id now, as it does in beanstalkd. */
void put_take_id(struct session *session);
/* The body of session->put comes next. */
void put_body(struct session *session, size_t len);
void submit_abandon(struct session *session);
/* Answers a submit whose body was read, and ends it. */
void submit_refuse(struct session *session, int error, const char *why);
/* Whether there was no room for it, which is answered then. */
bool submit_no_room(struct session *session, int error);
void put_abandon(struct session *session);
void call_abandon(struct session *session);

/* ---- front.c ---- */

#define FRONT_MAGIC 0xf2077004u

/* What a loop counts: each command by its id, and connections. */
enum { FRONT_OPENED = COMMAND_COUNT, FRONT_CLOSED, FRONT_COUNTERS };

#define FRONT_ID_SIZE 17 /* 16 hexadecimal digits */

struct front {
    unsigned magic;
    struct front_settings settings;
    struct broker *broker;
    struct api *api;
    size_t body_max;
    const struct broker_options *options; /* the broker's */
    int64_t started_ns;                   /* clock_now_ns */
    char id[FRONT_ID_SIZE];               /* names this run of the daemon, in stats */
    /* [loop * FRONT_COUNTERS + what]; each written by its loop only */
    struct counter *counts;
    struct peers *peers; /* NULL: no settings.trust */
};

/* One more of it, counted in the row of the session's loop. */
void front_count(struct session *session, size_t what);
/* Of all loops. */
uint64_t front_counted(const struct front *front, size_t what);

#endif
