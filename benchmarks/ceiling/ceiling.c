/* The machine's ceiling for matching: a bare tick ladder, a two-level bitmap, a pooled intrusive FIFO and dense ids.
 *
 * It knows nothing of sessions, references, validation or events, its prices are array indexes within a fixed range,
 * and its 32-byte operations come prepared. What an engine takes more than this is what its rules cost.
 * CEILING_LOOK_AHEAD (operations) makes the variant that prefetches; 0 is the plain one.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#ifndef CEILING_LOOK_AHEAD
#define CEILING_LOOK_AHEAD 0
#endif

enum { NEW = 1, CANCEL = 2, REDUCE = 3, REPLACE = 4 };
enum { RESTS = 0, DROPS = 1, ALL_OR_NONE = 2 };
enum { NONE = 0 };

typedef struct { uint8_t kind, side, rest, spare; uint32_t book, id; int32_t price; int64_t qty; uint64_t spare2; } Op;
typedef struct { uint32_t next, prev; int32_t price; uint32_t place; int64_t leaves, filled; } Order;
typedef struct { uint32_t head, tail; int64_t qty; } Level;
typedef struct { Level *levels; uint64_t *bits, *summary; int32_t best[2]; } Book;
typedef struct { uint64_t matches, lots, live, nanoseconds; } Totals;

typedef struct {
    Order *orders;          /* slot 0 unused */
    uint32_t *slot_of_id;
    Book *books;
    uint32_t free_slot, slots_used;
    int32_t level_count;
    Totals totals;
} Ceiling;

static void *zeroed(size_t bytes)
{
    void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (p == MAP_FAILED) abort();
    madvise(p, bytes, MADV_HUGEPAGE);
    return p;
}

static int32_t next_up(const Ceiling *c, const Book *b, int32_t level)
{
    int32_t word = (level + 1) >> 6, top = c->level_count >> 6;
    if (level + 1 >= c->level_count) return c->level_count;
    uint64_t left = b->bits[word] & (~0ull << ((level + 1) & 63));
    if (left) return (word << 6) + __builtin_ctzll(left);
    if (++word >= top) return c->level_count;
    int32_t group = word >> 6, groups = (top + 63) >> 6;
    left = b->summary[group] & (~0ull << (word & 63));
    while (!left) {
        if (++group >= groups) return c->level_count;
        left = b->summary[group];
    }
    word = (group << 6) + __builtin_ctzll(left);
    return (word << 6) + __builtin_ctzll(b->bits[word]);
}

static int32_t next_down(const Book *b, int32_t level)
{
    if (level <= 0) return -1;
    int32_t word = (level - 1) >> 6;
    uint64_t left = b->bits[word] & (~0ull >> (63 - ((level - 1) & 63)));
    if (left) return (word << 6) + 63 - __builtin_clzll(left);
    if (--word < 0) return -1;
    int32_t group = word >> 6;
    left = b->summary[group] & (~0ull >> (63 - (word & 63)));
    while (!left) {
        if (--group < 0) return -1;
        left = b->summary[group];
    }
    word = (group << 6) + 63 - __builtin_clzll(left);
    return (word << 6) + 63 - __builtin_clzll(b->bits[word]);
}

static inline int crosses(const Book *b, int side, int32_t limit)
{
    return side == 0 ? b->best[1] <= limit : b->best[0] >= limit;
}

static inline void empty_level(Ceiling *c, Book *b, int side, int32_t price)
{
    b->bits[price >> 6] &= ~(1ull << (price & 63));
    if (!b->bits[price >> 6]) b->summary[price >> 12] &= ~(1ull << (price >> 6 & 63));
    if (b->best[side] == price) b->best[side] = side == 0 ? next_down(b, price) : next_up(c, b, price);
}

static inline void append(Ceiling *c, Book *b, int side, uint32_t slot)
{
    Order *o = &c->orders[slot];
    Level *l = &b->levels[o->price];
    o->next = NONE;
    o->prev = l->tail;
    if (l->tail) {
        c->orders[l->tail].next = slot;
        l->tail = slot;
        l->qty += o->leaves;
    } else {
        l->head = l->tail = slot;
        l->qty = o->leaves;
        b->bits[o->price >> 6] |= 1ull << (o->price & 63);
        b->summary[o->price >> 12] |= 1ull << (o->price >> 6 & 63);
        if (side == 0 ? o->price > b->best[0] : o->price < b->best[1]) b->best[side] = o->price;
    }
    c->totals.live++;
}

static inline void take_off(Ceiling *c, Book *b, int side, uint32_t slot)
{
    Order *o = &c->orders[slot];
    Level *l = &b->levels[o->price];
    l->qty -= o->leaves;
    if (o->prev) c->orders[o->prev].next = o->next; else l->head = o->next;
    if (o->next) c->orders[o->next].prev = o->prev; else l->tail = o->prev;
    if (!l->head) empty_level(c, b, side, o->price);
    c->totals.live--;
}

static inline void release(Ceiling *c, uint32_t slot)
{
    c->orders[slot].next = c->free_slot;
    c->free_slot = slot;
}

static int64_t reachable(const Ceiling *c, const Book *b, int side, int32_t limit, int64_t wanted)
{
    int64_t lots = 0;
    for (int32_t p = b->best[1 - side]; lots < wanted && p >= 0 && p < c->level_count
         && (side == 0 ? p <= limit : p >= limit); p = side == 0 ? next_up(c, b, p) : next_down(b, p))
        lots += b->levels[p].qty;
    return lots;
}

static inline int64_t match(Ceiling *c, Book *b, int side, int32_t limit, int64_t leaves)
{
    while (leaves && crosses(b, side, limit)) {
        int32_t price = b->best[1 - side];
        Level *l = &b->levels[price];
        uint32_t slot = l->head;
        Order *r = &c->orders[slot];
        int64_t lots = leaves < r->leaves ? leaves : r->leaves;
        leaves -= lots;
        r->leaves -= lots;
        r->filled += lots;
        l->qty -= lots;
        c->totals.matches++;
        c->totals.lots += (uint64_t) lots;
        if (!r->leaves) {
            take_off(c, b, 1 - side, slot);
            release(c, slot);
        }
    }
    return leaves;
}

static inline void enter(Ceiling *c, const Op *op)
{
    Book *b = &c->books[op->book];
    int side = op->side;
    int64_t leaves = op->qty;
    if (crosses(b, side, op->price)) {
        if (op->rest == ALL_OR_NONE && reachable(c, b, side, op->price, leaves) < leaves) return;
        leaves = match(c, b, side, op->price, leaves);
    }
    if (!leaves || op->rest != RESTS) return;
    uint32_t slot = c->free_slot;
    if (slot) c->free_slot = c->orders[slot].next; else slot = ++c->slots_used;
    Order *o = &c->orders[slot];
    o->price = op->price;
    o->leaves = leaves;
    o->filled = op->qty - leaves;
    o->place = op->book << 1 | (uint32_t) side;
    c->slot_of_id[op->id] = slot;
    append(c, b, side, slot);
}

static inline void replace(Ceiling *c, const Op *op, Book *b, int side, uint32_t slot)
{
    Order *o = &c->orders[slot];
    int64_t leaves = op->qty - o->filled;
    if (op->price == o->price && leaves <= o->leaves) {
        b->levels[o->price].qty -= o->leaves - leaves;
        o->leaves = leaves;
        return;
    }
    take_off(c, b, side, slot);
    int64_t left = match(c, b, side, op->price, leaves);
    if (!left) {
        release(c, slot);
        return;
    }
    o->filled += leaves - left;
    o->leaves = left;
    o->price = op->price;
    append(c, b, side, slot);
}

static inline void decide(Ceiling *c, const Op *op)
{
    if (op->kind == NEW) {
        enter(c, op);
        return;
    }
    uint32_t slot = c->slot_of_id[op->id];
    Order *o = &c->orders[slot];
    Book *b = &c->books[o->place >> 1];
    int side = o->place & 1;
    if (op->kind == CANCEL || (op->kind == REDUCE && op->qty >= o->leaves)) {
        take_off(c, b, side, slot);
        release(c, slot);
    } else if (op->kind == REDUCE) {
        o->leaves -= op->qty;
        b->levels[o->price].qty -= op->qty;
    } else {
        replace(c, op, b, side, slot);
    }
}

static inline void look_ahead(const Ceiling *c, const Op *ops, int64_t i, int64_t count)
{
#if CEILING_LOOK_AHEAD
    /* three stages: the id's entry, the order's line, its neighbours and level */
    int64_t far = i + 3 * CEILING_LOOK_AHEAD, middle = i + 2 * CEILING_LOOK_AHEAD, near = i + CEILING_LOOK_AHEAD;
    if (far >= count) return;
    __asm__ volatile ("");  /* without it gcc finds no effect in this function and drops its calls */
    __builtin_prefetch(&c->slot_of_id[ops[far].id]);
    const Op *op = &ops[middle];
    if (op->kind == NEW)
        __builtin_prefetch(&c->books[op->book].levels[op->price]);
    else
        __builtin_prefetch(&c->orders[c->slot_of_id[op->id]]);
    op = &ops[near];
    if (op->kind == NEW) {
        __builtin_prefetch(&c->orders[c->books[op->book].levels[op->price].tail]);
    } else {
        const Order *o = &c->orders[c->slot_of_id[op->id]];
        __builtin_prefetch(&c->orders[o->next]);
        __builtin_prefetch(&c->orders[o->prev]);
        __builtin_prefetch(&c->books[o->place >> 1].levels[o->price]);
    }
#endif
}

Ceiling *ceiling_make(int32_t books, int32_t level_count, int64_t ids, int64_t orders_max)
{
    Ceiling *c = zeroed(sizeof(Ceiling));
    c->level_count = level_count;
    c->orders = zeroed((size_t) (orders_max + 1) * sizeof(Order));
    c->slot_of_id = zeroed((size_t) (ids + 1) * sizeof(uint32_t));
    c->books = zeroed((size_t) books * sizeof(Book));
    for (int32_t i = 0; i < books; i++) {
        Book *b = &c->books[i];
        b->levels = zeroed((size_t) level_count * sizeof(Level));
        b->bits = zeroed((size_t) (level_count >> 6) * 8 + 64);
        b->summary = zeroed((size_t) (level_count >> 12) * 8 + 64);
        b->best[0] = -1;
        b->best[1] = level_count;
    }
    return c;
}

void ceiling_free(Ceiling *c, int32_t books, int64_t ids, int64_t orders_max)
{
    for (int32_t i = 0; i < books; i++) {
        Book *b = &c->books[i];
        munmap(b->levels, (size_t) c->level_count * sizeof(Level));
        munmap(b->bits, (size_t) (c->level_count >> 6) * 8 + 64);
        munmap(b->summary, (size_t) (c->level_count >> 12) * 8 + 64);
    }
    munmap(c->books, (size_t) books * sizeof(Book));
    munmap(c->slot_of_id, (size_t) (ids + 1) * sizeof(uint32_t));
    munmap(c->orders, (size_t) (orders_max + 1) * sizeof(Order));
    munmap(c, sizeof(Ceiling));
}

void ceiling_run(Ceiling *c, const Op *ops, int64_t count, Totals *totals)
{
    struct timespec from, to;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &from);
    for (int64_t i = 0; i < count; i++) {
        look_ahead(c, ops, i, count);
        decide(c, &ops[i]);
    }
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &to);
    c->totals.nanoseconds = (uint64_t) ((to.tv_sec - from.tv_sec) * 1000000000ll + to.tv_nsec - from.tv_nsec);
    *totals = c->totals;
}
