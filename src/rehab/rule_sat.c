#include "rehab/rule.h"

#include <math.h>
#include <string.h>

/* Can conditions hold together? A tableau: what must be true waits on a list; "any" tries each branch; a
 * comparison narrows the domain of its fact; an empty domain closes the branch. Rules are small, so no
 * cleverness is needed, only a bound: a search that runs out of steps says "can hold" (the safe answer:
 * a possible contradiction is then reported, not hidden). */

enum { WAITING_MAX = 64, STEPS_MAX = 200000 };

typedef struct domain { /* of one fact */
    double low, high;
    bool low_open, high_open;
    unsigned mask;
    signed char known; /* -1 not said, 0 not known, 1 known */
} domain;

typedef struct wanted {
    const reha_condition *condition;
    bool truth;
} wanted;

typedef struct branch {
    domain domains[REHA_FACTS_MAX];
    wanted waiting[WAITING_MAX];
    int waiting_count;
} branch;

static bool is_open_set(const domain *d, const reha_fact *fact)
{
    if (fact->type != REHA_FACT_NUMBER) {
        return d->mask != 0;
    }
    return d->low < d->high || (d->low <= d->high && !d->low_open && !d->high_open);
}

static bool set_known(domain *d, bool known)
{
    if (d->known >= 0 && (d->known == 1) != known) {
        return false;
    }
    d->known = known ? 1 : 0;
    return true;
}

static void raise_low(domain *d, double value, bool open)
{
    if (value > d->low || (value >= d->low && open)) {
        d->low = value;
        d->low_open = open;
    }
}

static void lower_high(domain *d, double value, bool open)
{
    if (value < d->high || (value <= d->high && open)) {
        d->high = value;
        d->high_open = open;
    }
}

/* A comparison, wanted true or false: both need the fact known (three values). */
static bool narrow(branch *b, const reha_condition *c, bool truth, const reha_fact_list *list)
{
    domain *d = &b->domains[c->fact];
    if (c->kind == REHA_WHEN_KNOWN) {
        return set_known(d, (c->mask != 0) == truth);
    }
    if (!set_known(d, true)) {
        return false;
    }
    switch (c->kind) {
    case REHA_WHEN_AT_LEAST:
        truth ? raise_low(d, c->value, false) : lower_high(d, c->value, true);
        break;
    case REHA_WHEN_AT_MOST:
        truth ? lower_high(d, c->value, false) : raise_low(d, c->value, true);
        break;
    case REHA_WHEN_ABOVE:
        truth ? raise_low(d, c->value, true) : lower_high(d, c->value, false);
        break;
    case REHA_WHEN_BELOW:
        truth ? lower_high(d, c->value, true) : raise_low(d, c->value, false);
        break;
    default:
        d->mask &= truth ? c->mask : ~c->mask;
        break;
    }
    return is_open_set(d, &list->items[c->fact]);
}

static bool search(branch *b, const reha_fact_list *list, long *steps);

static bool search_any(branch *b, wanted w, const reha_fact_list *list, long *steps)
{
    for (size_t i = 0; i < w.condition->count; i++) {
        branch next = *b;
        next.waiting[next.waiting_count++] = (wanted){&w.condition->items[i], w.truth};
        if (search(&next, list, steps)) {
            return true;
        }
    }
    return false;
}

static bool search(branch *b, const reha_fact_list *list, long *steps)
{
    while (b->waiting_count > 0) {
        if (++*steps > STEPS_MAX) {
            return true;
        }
        const wanted w = b->waiting[--b->waiting_count];
        const reha_condition *c = w.condition;
        if (c->kind == REHA_WHEN_ALWAYS) {
            if (!w.truth) {
                return false;
            }
        } else if (c->kind == REHA_WHEN_NOT) {
            b->waiting[b->waiting_count++] = (wanted){&c->items[0], !w.truth};
        } else if (c->kind == REHA_WHEN_ALL || c->kind == REHA_WHEN_ANY) {
            if (b->waiting_count + (int)c->count >= WAITING_MAX) {
                return true;
            }
            if ((c->kind == REHA_WHEN_ANY) == w.truth) {
                return search_any(b, w, list, steps);
            }
            for (size_t i = 0; i < c->count; i++) {
                b->waiting[b->waiting_count++] = (wanted){&c->items[i], w.truth};
            }
        } else if (!narrow(b, c, w.truth, list)) {
            return false;
        }
    }
    return true;
}

bool reha_conditions_can_hold(const reha_condition *const *conditions, size_t count,
                              const reha_fact_list *list)
{
    branch b;
    long steps = 0;
    memset(&b, 0, sizeof b);
    for (size_t i = 0; i < list->count; i++) {
        const reha_fact *fact = &list->items[i];
        const unsigned choices = fact->type == REHA_FACT_BOOL ? 2u : (unsigned)fact->choice_count;
        b.domains[i] =
            (domain){.low = fact->low, .high = fact->high, .mask = (1u << choices) - 1u, .known = -1};
    }
    for (size_t i = 0; i < count && i < REHA_TOGETHER_MAX; i++) {
        b.waiting[b.waiting_count++] = (wanted){conditions[i], true};
    }
    return search(&b, list, &steps);
}
