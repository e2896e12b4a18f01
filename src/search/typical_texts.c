/*
 * typical_texts.c - what shoppers type, to calibrate an index with before anybody has typed anything
 *
 * Text i of a language is kind i of goods with the i-th describing word of every list, whose lengths have no common divisor: 128
 * texts are 128 different ones.
 */
#include "search/typical_texts.h"

static const char *const kinds_en[] = {
    "sneakers",      "running shoes",  "ankle boots",  "sandals",      "dress",        "t-shirt",
    "jeans",         "winter jacket",  "raincoat",     "hoodie",       "skirt",        "suit",
    "backpack",      "handbag",        "wallet",       "watch",        "sunglasses",   "necklace",
    "earrings",      "scarf",          "sofa",         "dining table", "office chair", "floor lamp",
    "rug",           "bookshelf",      "pillow",       "curtain",      "coffee mug",   "frying pan",
    "kettle",        "knife set",      "water bottle", "headphones",   "keyboard",     "phone case",
    "laptop sleeve", "camera",         "speaker",      "charger",      "toy car",      "teddy bear",
    "building set",  "stroller",       "dog bed",      "bicycle",      "yoga mat",     "tent",
    "football",      "fishing rod",    "face cream",   "lipstick",     "shampoo bar",  "perfume",
    "garden hose",   "cordless drill", "paint brush",  "notebook",     "fountain pen"};
static const char *const colours_en[] = {"red",   "black",  "white", "navy blue", "beige", "pink",
                                         "green", "yellow", "grey",  "brown",     ""};
static const char *const words_en[] = {
    "leather",    "cotton", "wooden",     "vintage",  "", "stainless", "striped",
    "minimalist", "kids",   "waterproof", "handmade", "", "floral"};
static const char *const kinds_zh[] = {
    "运动鞋", "跑步鞋", "短靴",   "凉鞋",     "连衣裙", "T恤",    "牛仔裤", "羽绒服", "雨衣",
    "卫衣",   "半身裙", "西装",   "双肩包",   "手提包", "钱包",   "手表",   "太阳镜", "项链",
    "耳环",   "围巾",   "沙发",   "餐桌",     "办公椅", "落地灯", "地毯",   "书架",   "枕头",
    "窗帘",   "咖啡杯", "平底锅", "电热水壶", "刀具",   "保温杯", "耳机",   "键盘",   "手机壳",
    "电脑包", "相机",   "音箱",   "充电器",   "玩具车", "毛绒熊", "积木",   "婴儿车", "狗窝",
    "自行车", "瑜伽垫", "帐篷",   "足球",     "鱼竿",   "面霜",   "口红",   "洗发水", "香水",
    "水管",   "电钻",   "画笔",   "笔记本",   "钢笔"};
static const char *const colours_zh[] = {"红色", "黑色", "白色", "藏青色", "米色", "粉色",
                                         "绿色", "黄色", "灰色", "棕色",   ""};
static const char *const words_zh[] = {"真皮", "纯棉", "实木", "复古", "", "不锈钢", "条纹",
                                       "简约", "儿童", "防水", "手工", "", "碎花"};

typedef struct language {
    const char *const *kinds, *const *colours, *const *words;
    size_t n_kinds, n_colours, n_words;
    const char *space;
} language;

#define LANGUAGE(code, space)                                                                      \
    {                                                                                              \
        kinds_##code, colours_##code, words_##code, PN_COUNT_OF(kinds_##code),                     \
            PN_COUNT_OF(colours_##code), PN_COUNT_OF(words_##code), space                          \
    }
static const language languages[] = {LANGUAGE(en, " "), LANGUAGE(zh, "")};

static char *compose(pn_arena *arena, const language *in, size_t i)
{
    const char *colour = in->colours[i % in->n_colours], *word = in->words[i % in->n_words];
    return pn_arena_printf(arena, "%s%s%s%s%s", colour, colour[0] ? in->space : "", word,
                           word[0] ? in->space : "", in->kinds[i % in->n_kinds]);
}

const pn_str *pn_typical_texts(pn_arena *arena)
{
    pn_str *texts = PN_ARENA_NEW(arena, pn_str, PN_TYPICAL_TEXTS);
    for (size_t i = 0; texts && i < PN_TYPICAL_TEXTS; i++) {
        const char *text =
            compose(arena, &languages[i % PN_COUNT_OF(languages)], i / PN_COUNT_OF(languages));
        if (!text)
            return NULL;
        texts[i] = pn_str_of(text);
    }
    return texts;
}
