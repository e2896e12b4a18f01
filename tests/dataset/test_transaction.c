/*
 * test_transaction.c - which commits can stand beside which
 *
 * The rules once more, written out as the format's documents tell them, beside the table in the code; then what the letters of
 * the table leave to be looked at.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
/* cmocka wants the four above first */
#include <cmocka.h>

#include "dataset/transaction.h"

typedef struct expectation {
    pn_operation ours, theirs;
    const char *rule;
} expectation;

#define ALL_OURS                                                                                   \
    PN_OPERATION_APPEND, PN_OPERATION_DELETE, PN_OPERATION_UPDATE, PN_OPERATION_REWRITE,           \
        PN_OPERATION_MERGE, PN_OPERATION_PROJECT

static void rules__are_the_formats(void **state)
{
    static const pn_operation data[] = {ALL_OURS};
    static const expectation some[] = {
        {PN_OPERATION_DELETE, PN_OPERATION_MERGE, "r"},
        {PN_OPERATION_DELETE, PN_OPERATION_DELETE, "d"},
        {PN_OPERATION_UPDATE, PN_OPERATION_UPDATE, "d"},
        {PN_OPERATION_UPDATE, PN_OPERATION_REWRITE, "f"},
        {PN_OPERATION_UPDATE, PN_OPERATION_REPLACE_DATA, "f"},
        {PN_OPERATION_REWRITE, PN_OPERATION_DELETE, "f"},
        {PN_OPERATION_REWRITE, PN_OPERATION_CREATE_INDEX, "i"},
        {PN_OPERATION_REWRITE, PN_OPERATION_MERGE, "r"},
        {PN_OPERATION_MERGE, PN_OPERATION_APPEND, "r"},
        {PN_OPERATION_MERGE, PN_OPERATION_PROJECT, "!"},
        {PN_OPERATION_MERGE, PN_OPERATION_CONFIG, "m"},
        {PN_OPERATION_PROJECT, PN_OPERATION_PROJECT, "r"},
        {PN_OPERATION_PROJECT, PN_OPERATION_MERGE, "r"},
        {PN_OPERATION_PROJECT, PN_OPERATION_APPEND, "+"},
        {PN_OPERATION_OVERWRITE, PN_OPERATION_OVERWRITE, "r"},
        {PN_OPERATION_OVERWRITE, PN_OPERATION_RESTORE, "+"},
        {PN_OPERATION_CREATE_INDEX, PN_OPERATION_APPEND, "+"},
        {PN_OPERATION_CREATE_INDEX, PN_OPERATION_REWRITE, "+"},
        {PN_OPERATION_CREATE_INDEX, PN_OPERATION_CREATE_INDEX, "+"},
        {PN_OPERATION_CREATE_INDEX, PN_OPERATION_REPLACE_DATA, "f"},
        {PN_OPERATION_CREATE_INDEX, PN_OPERATION_OVERWRITE, "!"},
        {PN_OPERATION_APPEND, PN_OPERATION_MERGE, "+"},
        {PN_OPERATION_APPEND, PN_OPERATION_MEM_WAL, "!"},
    };
    (void)state;
    for (size_t i = 0; i < PN_COUNT_OF(data); i++) {
        assert_int_equal(pn_transaction_rule(data[i], PN_OPERATION_OVERWRITE), '!');
        assert_int_equal(pn_transaction_rule(data[i], PN_OPERATION_RESTORE), '!');
        assert_int_equal(pn_transaction_rule(data[i], PN_OPERATION_UNKNOWN), '!');
        assert_int_equal(pn_transaction_rule(data[i], PN_OPERATION_RESERVE), '+');
        if (data[i] != PN_OPERATION_MERGE)
            assert_int_equal(pn_transaction_rule(data[i], PN_OPERATION_APPEND), '+');
    }
    for (int theirs = 0; theirs < PN_OPERATION_MEM_WAL; theirs++)
        assert_int_equal(pn_transaction_rule(PN_OPERATION_RESTORE, (pn_operation)theirs), '+');
    for (size_t i = 0; i < PN_COUNT_OF(some); i++)
        assert_int_equal(pn_transaction_rule(some[i].ours, some[i].theirs), some[i].rule[0]);
    for (int ours = 0; ours < PN_OPERATION_OURS; ours++)
        for (int theirs = 0; theirs < PN_OPERATION_COUNT; theirs++)
            assert_non_null(
                strchr("+!rfdim", pn_transaction_rule((pn_operation)ours, (pn_operation)theirs)));
}

static bool touches_7(const void *context, uint64_t fragment_id)
{
    (void)context;
    return fragment_id == 7;
}

static void shared_fragments__decide(void **state)
{
    const pn_intent rewrite = {PN_OPERATION_REWRITE, touches_7, NULL};
    const pn_intent append = {PN_OPERATION_APPEND, NULL, NULL};
    (void)state;
    Pn__Table__DataFragment six = PN__TABLE__DATA_FRAGMENT__INIT, seven = six;
    six.id = 6;
    seven.id = 7;
    Pn__Table__DataFragment *list[] = {&six, &seven};
    uint64_t ids[] = {6, 7};
    Pn__Table__Delete deletion = PN__TABLE__DELETE__INIT;
    Pn__Table__Transaction txn = PN__TABLE__TRANSACTION__INIT;
    txn.operation_case = PN__TABLE__TRANSACTION__OPERATION_DELETE;
    txn.delete_ = &deletion;
    deletion.updated_fragments = list;
    deletion.n_updated_fragments = 1;
    deletion.deleted_fragment_ids = ids;
    assert_int_equal(pn_transaction_judge(&rewrite, &txn), PN_VERDICT_STANDS);
    deletion.n_updated_fragments = 2;
    assert_int_equal(pn_transaction_judge(&rewrite, &txn), PN_VERDICT_REDO);
    assert_int_equal(pn_transaction_judge(&append, &txn), PN_VERDICT_STANDS);
    deletion.n_updated_fragments = 0;
    deletion.n_deleted_fragment_ids = 2;
    assert_int_equal(pn_transaction_judge(&rewrite, &txn), PN_VERDICT_REDO);

    Pn__Table__RewriteGroup group = PN__TABLE__REWRITE_GROUP__INIT, *groups[] = {&group};
    Pn__Table__Rewrite rewritten = PN__TABLE__REWRITE__INIT;
    txn.operation_case = PN__TABLE__TRANSACTION__OPERATION_REWRITE;
    txn.rewrite = &rewritten;
    rewritten.groups = groups;
    rewritten.n_groups = 1;
    group.old_fragments = list;
    group.n_old_fragments = 1;
    assert_int_equal(pn_transaction_judge(&rewrite, &txn), PN_VERDICT_STANDS);
    group.n_old_fragments = 2;
    assert_int_equal(pn_transaction_judge(&rewrite, &txn), PN_VERDICT_REDO);
    rewritten.n_groups = 0;
    rewritten.old_fragments = list;
    rewritten.n_old_fragments = 2;
    assert_int_equal(pn_transaction_judge(&rewrite, &txn), PN_VERDICT_REDO);
}

static void what_is_created_or_configured__decides(void **state)
{
    const pn_intent rewrite = {PN_OPERATION_REWRITE, touches_7, NULL};
    const pn_intent merge = {PN_OPERATION_MERGE, NULL, NULL};
    (void)state;
    Pn__Table__Transaction txn = PN__TABLE__TRANSACTION__INIT;
    assert_int_equal(pn_transaction_judge(&rewrite, &txn), PN_VERDICT_FAILS);
    assert_int_equal(pn_transaction_judge(&rewrite, NULL), PN_VERDICT_FAILS);
    Pn__Table__CreateIndex created = PN__TABLE__CREATE_INDEX__INIT;
    txn.operation_case = PN__TABLE__TRANSACTION__OPERATION_CREATE_INDEX;
    txn.create_index = &created;
    assert_int_equal(pn_transaction_judge(&rewrite, &txn), PN_VERDICT_STANDS); // it only drops one
    created.n_new_indices = 1;
    assert_int_equal(pn_transaction_judge(&rewrite, &txn), PN_VERDICT_REDO);
    assert_int_equal(pn_transaction_judge(&merge, &txn), PN_VERDICT_STANDS);
    Pn__Table__UpdateConfig config = PN__TABLE__UPDATE_CONFIG__INIT;
    Pn__Table__UpdateMap map = PN__TABLE__UPDATE_MAP__INIT;
    txn.operation_case = PN__TABLE__TRANSACTION__OPERATION_UPDATE_CONFIG;
    txn.update_config = &config;
    config.config = &map;
    assert_int_equal(pn_transaction_judge(&merge, &txn), PN_VERDICT_STANDS);
    config.schema_metadata = &map;
    assert_int_equal(pn_transaction_judge(&merge, &txn), PN_VERDICT_REDO);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rules__are_the_formats),
        cmocka_unit_test(shared_fragments__decide),
        cmocka_unit_test(what_is_created_or_configured__decides),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
